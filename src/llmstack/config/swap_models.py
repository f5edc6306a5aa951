"""The ``models`` section of a llama-swap configuration."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmstack.config.command import split_command
from llmstack.config.macros import has_macro
from llmstack.config.swap import SwapModel

if TYPE_CHECKING:
    from llmstack.config.swap_fields import Section

_KNOWN = (
    "cmd",
    "cmdStop",
    "proxy",
    "aliases",
    "env",
    "checkEndpoint",
    "ttl",
    "unloadTimeout",
    "unlisted",
    "useModelName",
    "name",
    "description",
    "concurrencyLimit",
    "macros",
    "metadata",
    "sendLoadingState",
    "healthCheckTimeout",
)
_LATER = ("filters", "timeouts", "compat", "capabilities")
_CONCURRENCY = 10
#: An id that llama-swap gives its own route and more room.
_COMFYUI, _COMFYUI_CONCURRENCY = "comfyui_auto", 50


@dataclass(frozen=True, slots=True)
class ModelDefaults:
    """What the top level says for every model. Times are seconds."""

    ttl: int = 0
    unload_timeout: int = 10
    send_loading_state: bool = False


def read_models(section: Section, defaults: ModelDefaults) -> dict[str, SwapModel]:
    """The models in file order; problems go to the section's report."""
    models = {
        model_id: _read_model(section.section(model_id), model_id, defaults)
        for model_id in section.names()
    }
    _check_aliases(section, models)
    return models


def _read_model(section: Section, model_id: str, defaults: ModelDefaults) -> SwapModel:
    section.check_keys(_KNOWN, _LATER)
    report = section.report
    if "healthCheckTimeout" in section:
        report.warning(
            section.at("healthCheckTimeout"),
            f"model {model_id}: healthCheckTimeout has no effect inside a model",
            "Set the top-level healthCheckTimeout.",
        )
    check_endpoint = section.text("checkEndpoint", "/health")
    return SwapModel(
        id=model_id,
        cmd=_command(section, "cmd", model_id),
        cmd_stop=_command(section, "cmdStop", model_id),
        proxy=_proxy(section, model_id),
        aliases=_aliases(section, model_id),
        env=_environment(section, model_id),
        check_endpoint="none" if check_endpoint.strip() == "none" else check_endpoint,
        ttl=_ttl(section, model_id, defaults),
        unload_timeout=_unload_timeout(section, model_id, defaults),
        unlisted=section.boolean("unlisted"),
        use_model_name=section.text("useModelName"),
        name=section.text("name"),
        description=section.text("description"),
        concurrency_limit=_concurrency(section, model_id),
        send_loading_state=section.boolean("sendLoadingState", default=defaults.send_loading_state),
        metadata=MappingProxyType(_mapping(section, "metadata")),
        line=report.line(section.path),
    )


def _mapping(section: Section, key: str) -> dict[str, object]:
    inner = section.section(key)
    return {name: inner[name] for name in inner.names()}


def _command(section: Section, key: str, model_id: str) -> str:
    """The command text. One that cannot be run only warns: llama-swap fails at the start too."""
    text = section.text(key)
    if not text and key == "cmdStop":
        return text
    try:
        split_command(text)
    except ValueError as error:
        message = f"model {model_id}: {key} cannot be run: {error}"
        fix = "Close the quote." if text else "Write the program and its arguments."
        section.report.warning(section.at(key), message, fix)
    return text


def _proxy(section: Section, model_id: str) -> str:
    text = section.text("proxy")
    if has_macro(text):
        return text
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        fault = str(error)
    else:
        fault = ""
        if url.scheme not in {"http", "https"} or not url.hostname:
            fault = f"{text!r} is not an http:// or https:// address"
        elif port == 0:
            fault = "port 0 cannot be reached"
    if fault:
        message = f"model {model_id}: invalid proxy URL: {fault}"
        section.report.error(section.at("proxy"), message, "Write http://127.0.0.1:<port>.")
    return text


def _aliases(section: Section, model_id: str) -> tuple[str, ...]:
    aliases = section.texts("aliases")
    if not all(aliases):
        message = f"model {model_id}: an empty alias is ignored"
        section.report.warning(section.at("aliases"), message, "Remove it.")
    return tuple(alias for alias in aliases if alias)


def _environment(section: Section, model_id: str) -> tuple[str, ...]:
    entries = section.texts("env")
    for index, entry in enumerate(entries):
        if "=" not in entry[1:]:
            message = f"model {model_id}: env entry {entry!r} sets nothing"
            section.report.warning((*section.at("env"), index), message, "Write NAME=value.")
    return entries


def _ttl(section: Section, model_id: str, defaults: ModelDefaults) -> int:
    ttl = section.integer("ttl", -1)
    if ttl < -1:
        message = f"model {model_id}: invalid TTL value {ttl}"
        section.report.error(
            section.at("ttl"), message, "Write seconds, 0 for never, -1 for globalTTL."
        )
    return ttl if ttl >= 0 else defaults.ttl


def _unload_timeout(section: Section, model_id: str, defaults: ModelDefaults) -> int:
    timeout = section.integer("unloadTimeout", 0)
    if timeout < 0:
        message = f"model {model_id}: invalid unloadTimeout value {timeout}"
        section.report.error(
            section.at("unloadTimeout"), message, "Write seconds, or 0 for the global one."
        )
    return timeout if timeout > 0 else defaults.unload_timeout


def _concurrency(section: Section, model_id: str) -> int:
    limit = section.integer("concurrencyLimit", 0)
    if limit < 0:
        message = f"model {model_id}: concurrencyLimit {limit} means {_CONCURRENCY}"
        section.report.warning(section.at("concurrencyLimit"), message, "Write the limit you want.")
    limit = limit if limit > 0 else _CONCURRENCY
    return max(limit, _COMFYUI_CONCURRENCY) if model_id == _COMFYUI else limit


def _check_aliases(section: Section, models: dict[str, SwapModel]) -> None:
    """Aliases are unique over all models; one that is a model's id stands for that model."""
    owners: set[str] = set()
    for model_id in sorted(models):
        path = (*section.at(model_id), "aliases")
        for alias in models[model_id].aliases:
            if alias in owners:
                message = f"duplicate alias {alias} found in model: {model_id}"
                section.report.error(path, message, "Remove it from one of the models.")
            elif alias in models and alias != model_id:
                message = f"alias {alias} of model {model_id} is also a model id, which wins"
                section.report.warning(path, message, "Remove the alias.")
            owners.add(alias)
