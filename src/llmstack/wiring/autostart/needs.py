"""The variables that a stack's hosted tiers need, and those that it would not have at login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.read_hosted import on_aws
from llmstack.config.variables import only_variable, variables_in
from llmstack.wiring.autostart.programs import output_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from llmstack.config.hosted import Hosted
    from llmstack.config.stack import Channel, Stack
    from llmstack.wiring.autostart.service import Manager

#: Credentials of AWS that only the environment may have.
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK")


def needed_variables(
    stack: Stack, channel: Channel, environ: Mapping[str, str]
) -> dict[str, list[str]]:
    """The variables of each hosted tier or source, by its name.

    ``stack`` is as ``models.ini`` says, no environment put over it. Those of AWS are needed if
    ``environ`` has them now, for then nothing else may have the credentials.
    """
    places = [(tier.name, tier.elsewhere(channel)) for tier in stack.tiers]
    places += [(source.name, source.hosted) for source in stack.sources]
    return {name: list(_variables(hosted, environ)) for name, hosted in places if hosted}


def missing_at_login(
    needed: Mapping[str, list[str]], known: Collection[str], manager: Manager
) -> dict[str, list[str]]:
    """Those of ``needed`` that are neither ``known`` nor told to services by ``manager``."""
    told: dict[str, bool] = {}
    for name in {name for names in needed.values() for name in names}:
        told[name] = name in known or _is_told(manager, name)
    missing = {tier: [one for one in names if not told[one]] for tier, names in needed.items()}
    return {tier: names for tier, names in missing.items() if names}


def _is_told(manager: Manager, name: str) -> bool:
    outputs = (output_of(step) for step in manager.variable(name))
    return any(output is not None and manager.is_set(name, output) for output in outputs)


def _variables(hosted: Hosted, environ: Mapping[str, str]) -> dict[str, None]:
    found = [hosted.api_key_env] if hosted.api_key_env else []
    values = (hosted.model, hosted.base_url, hosted.region, hosted.profile, hosted.endpoint_url)
    for value in values:
        found += variables_in(value)
    found += [name for _, value in hosted.headers if (name := only_variable(value))]
    if on_aws(hosted.backend):
        found += [name for name in _AWS if environ.get(name)]
    return dict.fromkeys(found)
