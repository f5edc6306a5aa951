"""What models and peers have in common: request filters and connection limits."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llmstack.config.swap import Filters, Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.config.swap_fields import Report, Section

#: The parameter that routing depends on: no filter touches it.
_PROTECTED = "model"


def read_filters(section: Section, owner: str) -> Filters:
    """The filters of ``owner``, which stands before what has no effect."""
    strip = section.text("stripParams")
    where = "stripParams"
    if not strip and "strip_params" in section:
        where = "strip_params"
        strip = section.text(where)
    names = {name.strip() for name in strip.split(",")} - {""}
    if _PROTECTED in names:
        _protected(section, where, owner)
    by_id = section.entries("setParamsByID", "free map")
    return Filters(
        strip_params=tuple(sorted(names - {_PROTECTED})),
        set_params=_params(section.entries("setParams", "free"), owner),
        set_params_by_id=MappingProxyType(
            {name: _params(by_id.section(name), owner) for name in sorted(by_id.names())}
        ),
    )


def _params(section: Section, owner: str) -> Mapping[str, Any]:
    names = sorted(section.names())
    if _PROTECTED in names:
        _protected(section, _PROTECTED, owner)
    return MappingProxyType({name: section[name] for name in names if name != _PROTECTED})


def _protected(section: Section, key: str, owner: str) -> None:
    message = f"{owner}: filters never change the parameter model"
    section.report.warning(section.at(key), message, "Use useModelName to rename the model.")


def check_id_params(
    report: Report, models: dict[str, SwapModel], owners: dict[str, str]
) -> dict[str, SwapModel]:
    """The models with the names of ``filters.setParamsByID`` among their aliases.

    ``owners`` says whose each alias is so far.
    """
    result = dict(models)
    for model_id in sorted(models):
        model = models[model_id]
        added = []
        for name in model.filters.set_params_by_id:
            path = ("models", model_id, "filters", "setParamsByID", name)
            label = f"model {model_id} filters.setParamsByID"
            if name == model_id:
                continue
            if name in models:
                message = f"{label}: key '{name}' conflicts with an existing model ID"
                report.error(path, message, "Choose another name.")
            elif (other := owners.setdefault(name, model_id)) != model_id:
                message = f"duplicate alias '{name}' in {label}, already used by model {other}"
                report.error(path, message, "Choose another name.")
            elif name not in model.aliases:
                added.append(name)
        if added:
            result[model_id] = replace(model, aliases=(*model.aliases, *added))
    return result


def read_timeouts(section: Section) -> Timeouts:
    """The limits of a connection."""
    return Timeouts(
        connect=section.seconds("connect"),
        keepalive=section.seconds("keepalive"),
        response_header=section.seconds("responseHeader"),
        tls_handshake=section.seconds("tlsHandshake"),
        expect_continue=section.seconds("expectContinue"),
        idle_conn=section.seconds("idleConn"),
    )
