"""The ``models`` section of a llama-swap configuration."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from llmstack.config.context_settings import (
    POLICIES,
    SWAP_KEYS,
    TRUNCATIONS,
    UNTOUCHED,
    ContextSettings,
    Policy,
    Truncation,
    read_policy,
    read_truncation,
    share_fault,
)
from llmstack.config.macros import has_macro
from llmstack.config.problems import nearest
from llmstack.config.redact import masked
from llmstack.config.swap import Capabilities, SwapModel
from llmstack.config.swap_commands import command_faults
from llmstack.config.swap_fields import shorten
from llmstack.config.swap_filters import check_id_params, read_filters, read_timeouts
from llmstack.config.swap_keys_models import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.config.swap_fields import Report, Section

T = TypeVar("T")

_CONCURRENCY = 10
#: An id that llama-swap gives its own route and more room.
_COMFYUI, _COMFYUI_CONCURRENCY = "comfyui_auto", 50


@dataclass(frozen=True, slots=True)
class ModelDefaults:
    """What the top level says for every model. Times are seconds."""

    ttl: int = 0
    unload_timeout: int = 10
    send_loading_state: bool = False


def read_models(sections: dict[str, Section], defaults: ModelDefaults) -> dict[str, SwapModel]:
    """The models in file order; problems go to the sections' report."""
    models = {
        model_id: _read_model(section, model_id, defaults) for model_id, section in sections.items()
    }
    if models:
        report = next(iter(sections.values())).report
        owners = _check_aliases(report, models)
        models = check_id_params(report, models, owners)
    return models


def _read_model(section: Section, model_id: str, defaults: ModelDefaults) -> SwapModel:
    report = section.report
    section.integer("healthCheckTimeout")
    if "healthCheckTimeout" in section:
        report.warning(
            section.at("healthCheckTimeout"),
            f"model {model_id}: healthCheckTimeout has no effect inside a model",
            "Set the top-level healthCheckTimeout.",
        )
    check_endpoint = section.text("checkEndpoint")
    ignore_websockets = section.section("compat").boolean("ignoreWebsockets")
    return SwapModel(
        id=model_id,
        cmd=_command(section, "cmd", model_id),
        cmd_stop=_command(section, "cmdStop", model_id),
        proxy=read_proxy(section, f"model {model_id}: "),
        aliases=_aliases(section, model_id),
        env=_environment(section),
        check_endpoint="none" if check_endpoint.strip() == "none" else check_endpoint,
        ttl=_ttl(section, model_id, defaults),
        unload_timeout=_unload_timeout(section, model_id, defaults),
        unlisted=section.boolean("unlisted"),
        use_model_name=section.text("useModelName"),
        name=section.text("name"),
        description=section.text("description"),
        concurrency_limit=_concurrency(section, model_id),
        send_loading_state=section.boolean(
            "sendLoadingState", inherited=defaults.send_loading_state
        ),
        metadata=read_mapping(section, "metadata"),
        filters=read_filters(section.section("filters"), f"model {model_id}"),
        timeouts=read_timeouts(section.section("timeouts")),
        ignore_websockets=ignore_websockets or model_id == _COMFYUI,
        capabilities=_capabilities(section, model_id),
        memory=section.size("memory"),
        forward_api_key=section.boolean("forwardApiKey"),
        context=_context(section, model_id),
        line=report.line(section.path),
    )


def _context(section: Section, model_id: str) -> ContextSettings:
    policy: Policy | None = _named(section, "contextPolicy", read_policy, POLICIES, model_id)
    truncation: Truncation | None = _named(
        section, "truncationMode", read_truncation, TRUNCATIONS, model_id
    )
    trigger, target = section.share("contextTrigger"), section.share("contextTarget")
    if fault := share_fault(trigger, target):
        key = "contextTarget" if "contextTarget" in section else "contextTrigger"
        message = f"model {model_id}: contextTarget must be below contextTrigger: {fault}"
        section.report.error(section.at(key), message, "Write 0.6 and 0.85, say.")
    recent = section.integer("contextKeepRecent")
    if recent < 0:
        message = f"model {model_id}: contextKeepRecent: must be >= 0"
        section.report.error(section.at("contextKeepRecent"), message, "Write 4, say.")
    if not any(key in section for key in SWAP_KEYS.values()):
        return UNTOUCHED
    return ContextSettings(
        policy=policy or "limit_only",
        truncation=truncation or "sliding_window",
        trigger=trigger,
        target=target,
        keep_recent=max(recent, 0),
        hygiene=section.boolean("promptHygiene"),
    )


def _named(
    section: Section,
    key: str,
    read: Callable[[str], T | None],
    choices: tuple[str, ...],
    model_id: str,
) -> T | None:
    """One of ``choices`` in any case; an empty text is none."""
    text = section.text(key)
    named = read(text)
    if named is None and text.strip() and not has_macro(text):
        message = (
            f"model {model_id}: {key}: {shorten(masked(text))!r} is not one of {', '.join(choices)}"
        )
        fix = nearest(text.strip().lower(), choices) or f"Write {' or '.join(choices)}."
        section.report.error(section.at(key), message, fix)
    return named


def read_mapping(section: Section, key: str) -> Mapping[str, Any]:
    """A mapping that is kept as it is written."""
    inner = section.entries(key, "free")
    return MappingProxyType({name: inner[name] for name in inner.names()})


def _capabilities(section: Section, model_id: str) -> Capabilities | None:
    inner = section.section("capabilities")
    if not inner.names():
        return None
    context = inner.integer("context")
    if context < 0:
        message = f"model {model_id}: capabilities.context: must be >= 0"
        inner.report.error(inner.at("context"), message, "Write tokens, or 0 for not told.")
    return Capabilities(
        inputs=_modalities(inner, "in", model_id),
        outputs=_modalities(inner, "out", model_id),
        tools=inner.boolean("tools"),
        reranker=inner.boolean("reranker"),
        context=max(context, 0),
    )


def _modalities(section: Section, key: str, model_id: str) -> tuple[str, ...]:
    modalities = section.texts(key)
    for index, modality in enumerate(modalities):
        if modality not in MODALITIES and not has_macro(modality):
            message = (
                f'model {model_id}: capabilities.{key}: invalid modality "{modality}", '
                f"must be one of: {', '.join(MODALITIES)}"
            )
            path = (*section.at(key), index)
            section.report.error(path, message, nearest(modality, MODALITIES))
    return modalities


def _command(section: Section, key: str, model_id: str) -> str:
    """The command text. One that cannot be run only warns: llama-swap fails at the start too."""
    text = section.text(key)
    if text or key == "cmd":
        for fault, fix in command_faults(text):
            section.report.warning(section.at(key), f"model {model_id}: {key} {fault}", fix)
    return text


def read_proxy(section: Section, prefix: str) -> str:
    """The address under ``proxy``; ``prefix`` stands before what is wrong with it."""
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
            fault = f"{masked(text)!r} is not an http:// or https:// address"
        elif port == 0:
            fault = "port 0 cannot be reached"
    if fault:
        message = f"{prefix}invalid proxy URL: {fault}"
        section.report.error(section.at("proxy"), message, "Write http://127.0.0.1:<port>.")
    return text


def _aliases(section: Section, model_id: str) -> tuple[str, ...]:
    aliases = section.texts("aliases")
    if not all(aliases):
        message = f"model {model_id}: an empty alias is ignored"
        section.report.warning(section.at("aliases"), message, "Remove it.")
    return tuple(alias for alias in aliases if alias)


def _environment(section: Section) -> tuple[str, ...]:
    entries = section.texts("env")
    for index, entry in enumerate(entries):
        if "=" not in entry[1:]:
            # The entry may be a secret, so it is not shown.
            message = f"{section.label('env')}[{index}] sets nothing"
            section.report.warning((*section.at("env"), index), message, "Write NAME=value.")
    return entries


def _ttl(section: Section, model_id: str, defaults: ModelDefaults) -> int:
    ttl = section.integer("ttl")
    if ttl < -1:
        message = f"model {model_id}: invalid TTL value {ttl}"
        section.report.error(
            section.at("ttl"), message, "Write seconds, 0 for never, -1 for globalTTL."
        )
    return ttl if ttl >= 0 else defaults.ttl


def _unload_timeout(section: Section, model_id: str, defaults: ModelDefaults) -> int:
    timeout = section.integer("unloadTimeout")
    if timeout < 0:
        message = f"model {model_id}: invalid unloadTimeout value {timeout}"
        section.report.error(
            section.at("unloadTimeout"), message, "Write seconds, or 0 for the global one."
        )
    return timeout if timeout > 0 else defaults.unload_timeout


def _concurrency(section: Section, model_id: str) -> int:
    limit = section.integer("concurrencyLimit")
    if limit < 0:
        message = f"model {model_id}: concurrencyLimit {limit} means {_CONCURRENCY}"
        section.report.warning(section.at("concurrencyLimit"), message, "Write the limit you want.")
    limit = limit if limit > 0 else _CONCURRENCY
    return max(limit, _COMFYUI_CONCURRENCY) if model_id == _COMFYUI else limit


def _check_aliases(report: Report, models: dict[str, SwapModel]) -> dict[str, str]:
    """Aliases are unique over all models; one that is a model's id stands for that model.

    The result says whose each alias is.
    """
    owners: dict[str, str] = {}
    for model_id in sorted(models):
        for index, alias in enumerate(models[model_id].aliases):
            path = ("models", model_id, "aliases", index)
            if alias in owners:
                message = f"duplicate alias {alias} found in model: {model_id}"
                report.error(path, message, "Remove it from one of the models.")
            elif alias in models and alias != model_id:
                message = f"alias {alias} of model {model_id} is also a model id, which wins"
                report.warning(path, message, "Remove the alias.")
            owners.setdefault(alias, model_id)
    return owners
