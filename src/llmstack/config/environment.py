"""Environment variables that override what ``models.ini`` says, and those that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmstack.config.fields import split_words
from llmstack.config.numbers import (
    BadValueError,
    parse_bool,
    parse_port,
    parse_seconds,
    parse_tokens,
    shown,
)
from llmstack.config.problems import Problem, nearest
from llmstack.config.read_network import parse_file, parse_insecure
from llmstack.config.read_settings import (
    CEILINGS_FIX,
    PORTS_FIX,
    ceilings_fault,
    parse_host,
    parse_turns,
    ports_fault,
)
from llmstack.config.variables import expand
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from llmstack.config.hosted import Hosted
    from llmstack.config.stack import Stack, Tier

#: Where problems with variables are said to be.
SOURCE = "environment"

_ROUTING: dict[str, tuple[str, Callable[[str], Any]]] = {
    "ROUTER_HIGH_FIDELITY_CEILING": ("high_fidelity_ceiling", parse_tokens),
    "ROUTER_MID_FIDELITY_CEILING": ("mid_fidelity_ceiling", parse_tokens),
    "ROUTER_MULTI_TURN": ("multi_turn", parse_turns),
    "ROUTER_STICKY": ("sticky", parse_bool),
    "ROUTER_SWITCH_COST_LIMIT": ("switch_cost_limit", parse_seconds),
    "ROUTER_PLAN_SIGNAL_WORDS": ("plan_signal_words", split_words),
    "ROUTER_AGENT_SIGNAL_WORDS": ("agent_signal_words", split_words),
    "ROUTER_ULTRA_TRIGGERS": ("ultra_triggers", split_words),
    "ROUTER_UNCENSORED_TRIGGERS": ("uncensored_triggers", split_words),
}
_SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "ROUTER_HOST": ("router_host", parse_host),
    "ROUTER_PORT": ("router_port", parse_port),
    "ROUTER_TLS_CERT": ("tls_cert_file", parse_file),
    "ROUTER_TLS_KEY": ("tls_key_file", parse_file),
    "ROUTER_INSECURE": ("insecure", parse_insecure),
}

#: Variables that name the tier which plays a role.
_PLAYERS = {
    "ROUTER_FAST_MODEL": "fast",
    "ROUTER_AGENT_MODEL": "agent",
    "ROUTER_ULTRA_MODEL": "ultra",
    "ROUTER_PLAN_MODEL": "plan",
    "ROUTER_UNCENSORED_MODEL": "plan-uncensored",
}

#: The variables that ``apply_environment`` reads.
VARIABLES = (*_ROUTING, *_PLAYERS, *_SETTINGS)


def variable_of(key: str) -> str | None:
    """The variable that stands over a key of ``models.ini``, None where there is none."""
    return next((name for name, (of, _) in {**_ROUTING, **_SETTINGS}.items() if of == key), None)


def apply_environment(stack: Stack, environ: Mapping[str, str]) -> Stack:
    """The stack with the ``ROUTER_*`` variables of ``environ`` put over it.

    Hosted tiers and sources get the values of the variables that they name as ``$NAME``; one that
    is unset stays as written, and is that tier's problem (``backends.static_problem``). An empty
    variable counts as unset. Raises ``ConfigError`` with all bad values.
    """
    problems: list[Problem] = []
    players = tuple(_players(stack, environ, problems))
    routing = replace(stack.routing, players=players, **_read(_ROUTING, environ, problems))
    settings = replace(stack.settings, **_read(_SETTINGS, environ, problems))
    if not problems and (fault := ceilings_fault(routing)):
        problems.append(Problem(SOURCE, None, f"{fault}.", CEILINGS_FIX))
    if not problems and (fault := ports_fault(settings, len(stack.local))):
        problems.append(Problem(SOURCE, None, f"ROUTER_PORT: {fault}.", PORTS_FIX))
    if problems:
        raise ConfigError(problems)
    return replace(
        stack,
        routing=routing,
        settings=settings,
        tiers=tuple(_with_variables(tier, environ) for tier in stack.tiers),
        sources=tuple(
            replace(source, hosted=_expanded(source.hosted, environ)) for source in stack.sources
        ),
    )


def _with_variables(tier: Tier, environ: Mapping[str, str]) -> Tier:
    if tier.hosted is None:
        return tier
    upgrade = tier.hosted_next and _expanded(tier.hosted_next, environ)
    return replace(tier, hosted=_expanded(tier.hosted, environ), hosted_next=upgrade)


def _expanded(hosted: Hosted, environ: Mapping[str, str]) -> Hosted:
    """Without its headers: what they name is a secret, and is read where it is sent."""
    return replace(
        hosted,
        model=expand(hosted.model, environ),
        base_url=expand(hosted.base_url, environ).rstrip("/"),
        region=expand(hosted.region, environ),
        profile=expand(hosted.profile, environ),
        endpoint_url=expand(hosted.endpoint_url, environ).rstrip("/"),
    )


def _players(
    stack: Stack, environ: Mapping[str, str], problems: list[Problem]
) -> Iterator[tuple[str, str]]:
    for variable, role in _PLAYERS.items():
        if not (name := environ.get(variable, "").strip()):
            continue
        names = {other: tier.name for tier in stack.tiers for other in (tier.name, *tier.aliases)}
        if name in names:
            yield role, names[name]
        else:
            message = f"{variable}: no tier is called {shown(name)}."
            problems.append(Problem(SOURCE, None, message, nearest(name, names)))


def _read(
    variables: Mapping[str, tuple[str, Callable[[str], Any]]],
    environ: Mapping[str, str],
    problems: list[Problem],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, (name, parse) in variables.items():
        if not (text := environ.get(variable, "").strip()):
            continue
        try:
            values[name] = parse(text)
        except BadValueError as error:
            problems.append(Problem(SOURCE, None, f"{variable}: {error.what}.", error.fix))
    return values
