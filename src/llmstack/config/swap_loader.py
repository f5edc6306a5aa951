"""A llama-swap ``config.yaml`` as a validated value.

One pass: bytes, environment, YAML, macros, values. Every problem of the file is found in that
pass and told with its line; nothing in the file is silently without effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.config.go_regex import compile_go
from llmstack.config.macros import has_macro
from llmstack.config.names import model_names, with_selectors
from llmstack.config.numbers import BadValueError
from llmstack.config.problems import nearest
from llmstack.config.read_network import parse_hosts, parse_origins
from llmstack.config.redact import LEAST_LENGTH
from llmstack.config.swap import Performance, SwapConfig
from llmstack.config.swap_access import read_api_keys
from llmstack.config.swap_fields import Report, Section
from llmstack.config.swap_macros import expand
from llmstack.config.swap_models import ModelDefaults, read_models
from llmstack.config.swap_peers import check_reserved, read_peers
from llmstack.config.swap_routing import read_routing, resolve
from llmstack.config.swap_selectors import read_profiles, read_selectors
from llmstack.config.swap_source import Source, read_source, read_text
from llmstack.config.swap_tables import IGNORED_PATHS, LOG_LEVELS, LOG_TARGETS, LOG_TIMES, TABLES
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.config.problems import Problem
    from llmstack.config.swap import Peer, SwapModel

#: Finds problems that only a later step can see.
Check = Callable[["SwapConfig"], Iterable["Problem"]]

_SHORTEST_HEALTH_CHECK = 15
_SHORTEST_SAMPLING = 5.0
_UNLOAD_TIMEOUT = 10
_METRICS = 1000


def load_swap(path: Path, environ: Mapping[str, str]) -> SwapConfig:
    """Read the configuration at ``path``; ``environ`` is what ``${env.NAME}`` is looked up in.

    Raises ConfigError with all problems of the file, warnings included, if one is an error.
    """
    return parse_swap(read_text(path), str(path), environ)


def parse_swap(text: str, source: str, environ: Mapping[str, str]) -> SwapConfig:
    """The configuration in ``text``; ``source`` is the name to put into problems.

    An empty text is a configuration without models. Raises ConfigError as ``load_swap`` does.
    """
    return build_swap(read_source(text, source, environ))


def build_swap(
    source: Source, before: SwapConfig | None = None, *, further: Check | None = None
) -> SwapConfig:
    """The configuration in a tree, which is to follow ``before`` if that is in force.

    ``further`` sees the configuration even if it is not usable, and may find more problems.
    Raises ConfigError as ``load_swap`` does.
    """
    document = source.document
    report = Report(document, source.secrets)
    tree = document.tree
    ports: Mapping[str, int] = {}
    if isinstance(tree, dict):
        expansion = expand(tree, TABLES["top"], source.unset, before)
        report.findings(expansion.findings)
        tree = expansion.tree
        ports = expansion.ports
    config = _build(Section(report, (), tree, "top"), source)
    for problem in further(config) if further else ():
        report.add(problem)
    if report.failed:
        raise ConfigError(report.ordered())
    return replace(config, ports=MappingProxyType(dict(ports)))


def _build(top: Section, source: Source) -> SwapConfig:
    report = top.report
    start_port = top.integer("startPort")
    if start_port < 1:
        report.error(top.at("startPort"), "startPort must be greater than 1", "Write 5800, say.")
    top.boolean("logRequests")
    if "logRequests" in top:
        report.warning(top.at("logRequests"), "logRequests is deprecated and has no effect")
    defaults = ModelDefaults(
        ttl=top.seconds("globalTTL"),
        unload_timeout=top.seconds("unloadTimeout") or _UNLOAD_TIMEOUT,
        send_loading_state=top.boolean("sendLoadingState"),
    )
    models = read_models(top.sections("models"), defaults)
    peers = read_peers(top.sections("peers"))
    reserved = check_reserved(report, peers, models)
    routing = read_routing(top, models)
    names = model_names(models, peers.values())
    selectors = read_selectors(top.sections("selectors"), names, reserved, routing)
    names = with_selectors(names, selectors, {})
    profiles = read_profiles(_profile_sections(top), names, reserved)
    finding = tuple(peer.id for peer in peers.values() if peer.discover)
    api_keys, clear_keys = read_api_keys(top, names, finding)
    preload = _read_preload(top.section("hooks"), models)
    return SwapConfig(
        source=source.document.source,
        models=MappingProxyType(models),
        groups=routing.groups,
        matrix=routing.matrix,
        memory=routing.memory,
        preload=preload,
        priorities=routing.queue.priorities,
        min_residency=routing.queue.min_residency,
        max_wait=routing.queue.max_wait,
        queue_timeout=routing.queue.queue_timeout,
        profiles=MappingProxyType(profiles),
        selectors=MappingProxyType(selectors),
        peers=MappingProxyType(peers),
        api_keys=api_keys,
        health_check_timeout=_health_check_timeout(top),
        start_port=start_port,
        log_level=_log_level(top),
        log_time_format=_log_time_format(top),
        log_to_stdout=_log_to_stdout(top),
        include_aliases_in_list=top.boolean("includeAliasesInList"),
        metrics_max_in_memory=_metrics_max(top),
        capture_buffer=max(top.integer("captureBuffer"), 0),
        store_path=_store_path(top),
        session_headers=_session_headers(top.section("ui").section("activity")),
        performance=_performance(top.section("performance")),
        ignore_paths=_ignore_paths(top.section("upstream")),
        allowed_hosts=_allowed(top, "allowedHosts", parse_hosts),
        allowed_origins=_allowed(top, "allowedOrigins", parse_origins),
        secrets=source.secrets | _keys(clear_keys, peers),
        warnings=report.ordered(),
    )


def _keys(clear: tuple[str, ...], peers: Mapping[str, Peer]) -> frozenset[str]:
    keys = {*clear, *(peer.api_key for peer in peers.values())}
    return frozenset(key for key in keys if len(key) >= LEAST_LENGTH)


def _profile_sections(top: Section) -> dict[str, Section]:
    """The profiles without those in the old list syntax, which are errors."""
    profiles = top.entries("profiles", "sections")
    for name in profiles.names():
        if isinstance(profiles[name], list):
            message = f"profiles.{name} is in the legacy list syntax, which is not supported"
            fix = "Write 'pins:' with one 'requested name: served name' per line."
            top.report.error(profiles.at(name), message, fix)
    return {
        name: Section(top.report, profiles.at(name), profiles[name], "profile")
        for name in profiles.names()
        if not isinstance(profiles[name], list)
    }


def _health_check_timeout(top: Section) -> int:
    timeout = top.integer("healthCheckTimeout")
    if timeout >= _SHORTEST_HEALTH_CHECK:
        return timeout
    message = f"healthCheckTimeout {timeout} is too short, {_SHORTEST_HEALTH_CHECK} is used"
    top.report.warning(top.at("healthCheckTimeout"), message, "Write 15 or more seconds.")
    return _SHORTEST_HEALTH_CHECK


def _log_level(top: Section) -> str:
    text = top.text("logLevel")
    level = text.strip().lower()
    if level in LOG_LEVELS:
        return level
    message = f"logLevel {text!r} is unknown, 'info' is used"
    fix = nearest(level, LOG_LEVELS) or f"Write one of: {', '.join(LOG_LEVELS)}."
    top.report.warning(top.at("logLevel"), message, fix)
    return "info"


def _log_time_format(top: Section) -> str:
    text = top.text("logTimeFormat")
    name = text.strip().lower()
    if not name or name in LOG_TIMES:
        return name
    message = f"logTimeFormat {text!r} is unknown, so log lines have no time"
    fix = nearest(name, LOG_TIMES) or f"Write one of: {', '.join(LOG_TIMES)}."
    top.report.warning(top.at("logTimeFormat"), message, fix)
    return ""


def _log_to_stdout(top: Section) -> str:
    target = top.text("logToStdout")
    if target not in LOG_TARGETS:
        message = f"logToStdout must be one of: {', '.join(LOG_TARGETS)}"
        top.report.error(top.at("logToStdout"), message, nearest(target, LOG_TARGETS))
    return target


def _metrics_max(top: Section) -> int:
    rows = top.integer("metricsMaxInMemory")
    if rows > 0:
        return rows
    message = f"metricsMaxInMemory {rows} means {_METRICS}"
    top.report.warning(top.at("metricsMaxInMemory"), message, "Write 1 or more.")
    return _METRICS


def _store_path(top: Section) -> str:
    store = top.section("store")
    path = store.text("path").strip()
    if not path and isinstance(top["store"], dict):
        message = "store.path must not be empty"
        top.report.error(top.at("store"), message, "Name a file, or remove store.")
    return path


def _session_headers(activity: Section) -> tuple[str, ...]:
    headers: dict[str, str] = {}
    for entry in activity.texts("session_id"):
        if name := entry.strip():
            headers.setdefault(name.lower(), name)
    return tuple(headers.values())


def _allowed(top: Section, key: str, parse: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """Names or origins, each an entry of its own."""
    found: list[str] = []
    for index, text in enumerate(top.texts(key)):
        if has_macro(text):
            continue
        try:
            found += parse(text)
        except BadValueError as error:
            top.report.error((*top.at(key), index), f"{key}: {error.what}", error.fix)
    return tuple(found)


def _performance(section: Section) -> Performance:
    every = section.duration("every")
    if every == 0:
        every = _SHORTEST_SAMPLING  # as for llama-swap, for which 0 is a missing value
    if every < _SHORTEST_SAMPLING:
        message = f"performance: every must be at least 5s, got {section['every']}"
        section.report.error(section.at("every"), message, "Write 5s or more.")
    return Performance(disabled=section.boolean("disabled"), every=every)


def _ignore_paths(section: Section) -> tuple[re.Pattern[str], ...]:
    """The compiled patterns; an empty list is the default, as it is for llama-swap."""
    patterns = []
    for index, text in enumerate(section.texts("ignorePaths") or (IGNORED_PATHS,)):
        if has_macro(text):
            continue
        try:
            patterns.append(compile_go(text))
        except ValueError as error:
            message = f'upstream.ignorePaths: invalid regular expression "{text}": {error}'
            path = (*section.at("ignorePaths"), index)
            section.report.error(path, message, "Use Go's syntax of regular expressions.")
    return tuple(patterns)


def _read_preload(hooks: Section, models: Mapping[str, SwapModel]) -> tuple[str, ...]:
    """Real ids of the models to load first; names that mean nothing are dropped with a warning."""
    startup = hooks.section("on_startup")
    found = []
    for index, entry in enumerate(startup.texts("preload")):
        name = entry.strip()
        model_id = resolve(name, models)
        if model_id is not None:
            found.append(model_id)
            continue
        message = f"hooks.on_startup.preload: unknown model {name!r} is not loaded"
        path = (*startup.at("preload"), index)
        startup.report.warning(path, message, nearest(name, models))
    return tuple(found)
