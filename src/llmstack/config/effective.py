"""The effective stack as rows of text, each with the place that its value came from."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmstack.config.environment import variable_of
from llmstack.config.keys import KEYS, names_for
from llmstack.config.read_hosted import GGUF, OF_SOURCES, on_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from llmstack.config.ini import Document, Section
    from llmstack.config.key import Key
    from llmstack.config.stack import Rope, Sampler, Stack, Tier


@dataclass(frozen=True, slots=True)
class Effective:
    """One value. ``origin`` is a line of the file, a variable, or ``default``."""

    section: str
    key: str
    value: str
    origin: str


def effective_rows(
    stack: Stack, document: Document, environ: Mapping[str, str]
) -> Iterator[Effective]:
    """Every setting that holds, in the order of the reference.

    ``stack`` is what was read from ``document`` with the environment put over it. Values that are
    empty by default are left out.
    """
    yield from _rows("DEFAULT", "DEFAULT", stack, None, document, environ)
    sections = {section.name: section for section in document.sections}
    for tier in stack.tiers:
        own = sections.get(tier.name)
        rows = _rows("tier", tier.name, tier, own, document, environ)
        others = _others(tier)
        yield from (row for row in rows if row.key not in others)
    for source in stack.sources:
        own = sections.get(source.name)
        yield from _rows("source", source.name, source, own, document, environ)
    routing = sections.get("ROUTING")
    yield from _rows("ROUTING", "ROUTING", stack, routing, document, environ)


def _rows(
    kind: str,
    name: str,
    holder: Any,
    own: Section | None,
    document: Document,
    environ: Mapping[str, str],
) -> Iterator[Effective]:
    for key in KEYS:
        if not _holds(kind, key):
            continue
        value = _VALUES[key.name](holder)
        origin = _origin(key.name, own, document, environ)
        if value or origin != "default":
            yield Effective(name, key.name, value, origin)


def _others(tier: Tier) -> frozenset[str]:
    """Keys that say nothing of this tier, whatever ``[DEFAULT]`` has."""
    if tier.hosted is None:
        return names_for("hosted", "aws", "url")
    return names_for("local", "url" if on_aws(tier.hosted.backend) else "aws")


def _holds(kind: str, key: Key) -> bool:
    if kind == "source":
        return key.name in OF_SOURCES and not key.name.startswith("model_name")
    return key.section == kind and key.name in _VALUES


def _origin(key: str, own: Section | None, document: Document, environ: Mapping[str, str]) -> str:
    variable = variable_of(key)
    if variable and environ.get(variable, "").strip():
        return f"${variable}"
    entry = own.entries.get(key) if own else None
    entry = entry or document.defaults.entries.get(key)
    if entry is None or entry.value == "":
        return "default"
    inherited = " [DEFAULT]" if own is not None and entry.section != own.name else ""
    return f"line {entry.line}{inherited}"


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _text(value: float | str | None) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _sampler(sampler: Sampler) -> str:
    names = ("temp", "top_p", "top_k", "min_p", "rep_pen")
    values = ((name, getattr(sampler, name)) for name in names)
    return " ".join(f"{name}={_text(value)}" for name, value in values if value is not None)


def _rope(rope: Rope | None) -> str:
    if rope is None:
        return ""
    arch = f", type={rope.arch}" if rope.arch else ""
    return f"yarn (scale={rope.scale:g}, orig_ctx={rope.orig_ctx}{arch})"


def _next(tier: Tier, name: str) -> str:
    return "" if tier.weights_next is None else _text(getattr(tier.weights_next, name))


def _hosted(name: str) -> Callable[[Any], str]:
    """A value of where a tier, or a source, is hosted; empty for a tier that runs here."""
    return lambda tier: "" if tier.hosted is None else _text(getattr(tier.hosted, name))


def _model(tier: Tier, *, aws: bool, upgrade: bool = False) -> str:
    """The model's name, if it is on AWS (``aws``) or not."""
    hosted = tier.hosted_next if upgrade else tier.hosted
    return hosted.model if hosted and on_aws(hosted.backend) == aws else ""


def _region_next(tier: Tier) -> str:
    return tier.hosted_next.region if tier.hosted_next else ""


def _headers(tier: Any) -> str:
    headers = tier.hosted.headers if tier.hosted else ()
    return ", ".join(f"{name}: {value}" for name, value in headers)


def _mmproj(tier: Tier) -> str:
    return "off" if tier.server.mmproj == "" else tier.server.mmproj or ""


_VALUES: dict[str, Callable[[Any], str]] = {
    "host": lambda stack: stack.settings.host,
    "router_host": lambda stack: stack.settings.router_host,
    "router_port": lambda stack: str(stack.settings.router_port),
    "engine_port": lambda stack: str(stack.settings.engine_port),
    "start_port": lambda stack: str(stack.settings.start_port),
    "engine": lambda stack: stack.settings.engine,
    "llama_server_bin": lambda stack: stack.settings.llama_server_bin or "",
    "ollama": lambda stack: stack.settings.ollama,
    "tls_cert_file": lambda stack: stack.settings.tls_cert_file,
    "tls_key_file": lambda stack: stack.settings.tls_key_file,
    "allowed_hosts": lambda stack: ", ".join(stack.settings.allowed_hosts),
    "allowed_origins": lambda stack: ", ".join(stack.settings.allowed_origins),
    "capture_buffer": lambda stack: str(stack.settings.capture_buffer),
    "tier": lambda tier: tier.label,
    "role": lambda tier: tier.role,
    "hf_repo": lambda tier: tier.weights.hf_repo or "",
    "hf_file": lambda tier: tier.weights.hf_file or "",
    "hf_repo_next": lambda tier: _next(tier, "hf_repo"),
    "hf_file_next": lambda tier: _next(tier, "hf_file"),
    "path": lambda tier: tier.weights.path or "",
    "ctx_size": lambda tier: str(tier.ctx_size),
    "max_output_tokens": lambda tier: _text(tier.max_output_tokens),
    "rope_scaling": lambda tier: _rope(tier.rope),
    "sampler": lambda tier: _sampler(tier.sampler),
    "chat_template": lambda tier: tier.chat_template or "",
    "size_gb": lambda tier: _text(tier.weights.size_gb),
    "size_gb_next": lambda tier: _next(tier, "size_gb"),
    "quant": lambda tier: tier.weights.quant,
    "quant_next": lambda tier: _next(tier, "quant"),
    "aliases": lambda tier: ", ".join(tier.aliases),
    "ttl": lambda tier: str(tier.ttl),
    "preload": lambda tier: _yes(tier.preload),
    "description": lambda tier: tier.description,
    "context_policy": lambda tier: tier.context.policy,
    "truncation_mode": lambda tier: tier.context.truncation,
    "context_trigger": lambda tier: _text(tier.context.trigger),
    "context_target": lambda tier: _text(tier.context.target),
    "context_keep_recent": lambda tier: str(tier.context.keep_recent),
    "prompt_hygiene": lambda tier: _yes(tier.context.hygiene),
    "price_input_per_1m": lambda tier: _text(tier.prices.input),
    "price_output_per_1m": lambda tier: _text(tier.prices.output),
    "price_cache_read_per_1m": lambda tier: _text(tier.prices.cache_read),
    "price_cache_write_per_1m": lambda tier: _text(tier.prices.cache_write),
    "budget_usd_per_day": lambda tier: _text(tier.budget.per_day),
    "budget_usd_per_month": lambda tier: _text(tier.budget.per_month),
    "fallback": lambda tier: ", ".join(tier.fallback),
    "backend": lambda tier: tier.hosted.backend if tier.hosted else GGUF,
    "aws_model_id": lambda tier: _model(tier, aws=True),
    "aws_model_id_next": lambda tier: _model(tier, aws=True, upgrade=True),
    "aws_region": _hosted("region"),
    "aws_region_next": _region_next,
    "aws_profile": _hosted("profile"),
    "aws_endpoint_url": _hosted("endpoint_url"),
    "base_url": _hosted("base_url"),
    "model_name": lambda tier: _model(tier, aws=False),
    "model_name_next": lambda tier: _model(tier, aws=False, upgrade=True),
    "api_key_env": _hosted("api_key_env"),
    "headers": _headers,
    "apis": lambda tier: ", ".join(tier.hosted.apis) if tier.hosted else "",
    "connect_timeout": _hosted("connect_timeout"),
    "first_byte_timeout": _hosted("first_byte_timeout"),
    "idle_timeout": _hosted("idle_timeout"),
    "retries": _hosted("retries"),
    "n_gpu_layers": lambda tier: str(tier.server.n_gpu_layers),
    "flash_attn": lambda tier: tier.server.flash_attn,
    "jinja": lambda tier: _yes(tier.server.jinja),
    "threads": lambda tier: str(tier.server.threads),
    "cache_type_k": lambda tier: tier.server.cache_type_k,
    "cache_type_v": lambda tier: tier.server.cache_type_v,
    "parallel": lambda tier: _text(tier.server.parallel),
    "mmproj": _mmproj,
    "draft_path": lambda tier: tier.server.draft_path or "",
    "extra_args": lambda tier: shlex.join(tier.server.extra_args),
    "env": lambda tier: ", ".join(f"{name}={value}" for name, value in tier.server.env),
    "high_fidelity_ceiling": lambda stack: str(stack.routing.high_fidelity_ceiling),
    "mid_fidelity_ceiling": lambda stack: str(stack.routing.mid_fidelity_ceiling),
    "sticky": lambda stack: _yes(stack.routing.sticky),
    "switch_cost_limit": lambda stack: str(stack.routing.switch_cost_limit),
    "multi_turn": lambda stack: str(stack.routing.multi_turn),
    "plan_signal_words": lambda stack: ", ".join(stack.routing.plan_signal_words),
    "agent_signal_words": lambda stack: ", ".join(stack.routing.agent_signal_words),
    "ultra_triggers": lambda stack: ", ".join(stack.routing.ultra_triggers),
    "uncensored_triggers": lambda stack: ", ".join(stack.routing.uncensored_triggers),
}
