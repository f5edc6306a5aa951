"""Parsed options turned into the binding's ``CommonParams``."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack.errors import LlmstackError
from llmstack.llama_server.flag import Member, json_object
from llmstack.llama_server.flags import FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1024 * 1024
DEFAULT_PORT = 8080

#: The bit that tells llama.cpp that the user chose this value, so that a default baked into the
#: model file does not replace it. Source: ``common_params_sampling_config`` in ``common.h``.
CHOSEN = {
    "samplers": "SAMPLERS",
    "top-k": "TOP_K",
    "top-p": "TOP_P",
    "min-p": "MIN_P",
    "xtc-probability": "XTC_PROBABILITY",
    "xtc-threshold": "XTC_THRESHOLD",
    "temp": "TEMP",
    "repeat-last-n": "PENALTY_LAST_N",
    "repeat-penalty": "PENALTY_REPEAT",
    "mirostat": "MIROSTAT",
    "mirostat-lr": "MIROSTAT_ETA",
    "mirostat-ent": "MIROSTAT_TAU",
}

#: The expert tensors of a mixture-of-experts block; ``LLM_FFN_EXPS_REGEX`` in ``common.h``.
EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"


def common_params(x: Any, values: Mapping[str, object], threads: int) -> Any:
    """Build ``CommonParams`` of the binding ``x`` (the module ``xllamacpp``) for ``values``.

    ``values`` are those of ``arguments.parse``; ``threads`` is the number of CPU threads to use
    when they do not say. Reads the files that options name.

    :raises LlmstackError: an option names a file that cannot be read, or no model is named.
    """
    params = x.CommonParams()
    params.port = DEFAULT_PORT
    params.n_parallel = -1  # llama-server's default: 4 slots over one shared context
    for flag in FLAGS:
        if flag.target and flag.key in values:
            value = _native(x, values[flag.key])
            try:
                _assign(params, flag.target, value)
            except (OverflowError, RuntimeError, ValueError) as error:
                raise LlmstackError(
                    f"--{flag.key} has a wrong value",
                    why=f"{value!r}: {error}",
                    fix=f"write --{flag.key} {flag.metavar}",
                ) from None
    _model(x, params, values)
    _memory(params, values)
    _threads(params, threads)
    _serving(x, params, values)
    _template(params, values)
    _sampling(x, params, values)
    return params


def _native(x: Any, value: object) -> object:
    if isinstance(value, Member):
        return getattr(getattr(x, value.enum), value.name)
    return list(value) if isinstance(value, tuple) else value


def _assign(params: Any, target: str, value: object) -> None:
    if target.startswith("!"):
        target, value = target[1:], not value
    *parents, name = target.split(".")
    for parent in parents:
        params = getattr(params, parent)
    setattr(params, name, value)


def _model(x: Any, params: Any, values: Mapping[str, Any]) -> None:
    model = params.model
    if not model.path:
        if model.url:
            raise LlmstackError(
                "--model-url does not say where to keep the model", fix="add -m FILE"
            )
        if not (model.hf_repo or model.docker_repo):
            raise LlmstackError("no model is named", fix="add -m FILE, or -hf ORG/NAME")
        model.path = "hf"  # the binding refuses an empty path; the download replaces this one
    params.model_alias = set(values.get("alias", ()))
    params.model_tags = set(values.get("tags", ()))
    adapters = [(file, 1.0) for file in values.get("lora", ())]
    for entry in values.get("lora-scaled", ()):
        file, _, scale = entry.rpartition(":")
        try:
            adapters.append((file, float(scale)))
        except ValueError:
            raise LlmstackError(
                "--lora-scaled has a wrong value",
                why=f"expected FILE:SCALE, got {entry!r}",
                fix="write the scale as a number after the last colon",
            ) from None
    if adapters:
        params.lora_adapters = [x.CommonAdapterLoraInfo(*adapter) for adapter in adapters]


def _memory(params: Any, values: Mapping[str, Any]) -> None:
    if "ctx-size" in values:
        params.n_ctx = values["ctx-size"]
        if params.n_ctx == 0:
            params.fit_params_min_ctx = -1  # the whole context was asked for: do not shrink it
    placement = [params.tensor_buft_overrides] if params.tensor_buft_overrides else []
    if values.get("cpu-moe"):
        placement.append(f"{EXPERTS}=CPU")
    placement += [rf"blk\.{n}{EXPERTS}=CPU" for n in range(values.get("n-cpu-moe", 0))]
    if placement:
        params.tensor_buft_overrides = ",".join(placement)
    if "moe-cache-mib" in values:
        params.moe_cache_size = values["moe-cache-mib"] * MIB
    if "tensor-split" in values:
        params.tensor_split = _filled(values["tensor-split"], len(params.tensor_split), 0.0)
    if "fit-target" in values:
        margins = [math.floor(margin) * MIB for margin in values["fit-target"]]
        rest = margins[0] if len(margins) == 1 else params.fit_params_target[-1]
        params.fit_params_target = _filled(margins, len(params.fit_params_target), rest)
    if "rope-scale" in values:
        params.rope_freq_scale = 1.0 / values["rope-scale"]


def _filled(values: Any, length: int, rest: Any) -> list[Any]:
    if len(values) > length:
        raise LlmstackError(
            f"{len(values)} devices are named, but there can be {length}",
            fix="shorten --tensor-split or --fit-target",
        )
    return [*values, *[rest] * (length - len(values))]


def _threads(params: Any, threads: int) -> None:
    if params.cpuparams.n_threads <= 0:
        params.cpuparams.n_threads = threads
    if params.cpuparams_batch.n_threads <= 0:
        params.cpuparams_batch.n_threads = params.cpuparams.n_threads


def _serving(x: Any, params: Any, values: Mapping[str, Any]) -> None:
    keys = list(values.get("api-key", ()))
    if "api-key-file" in values:
        lines = _read("--api-key-file", values["api-key-file"]).splitlines()
        keys += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if keys:
        params.api_keys = keys
    if "timeout" in values:
        params.timeout_read = params.timeout_write = values["timeout"]
    if "slot-save-path" in values:
        params.slot_save_path = str(Path(values["slot-save-path"])) + os.sep
    if values.get("rerank"):
        params.embedding = True
        params.pooling_type = x.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    if values.get("verbose"):
        params.verbosity = 2**31 - 1
    if values.get("log-disable"):
        params.verbosity = -1


def _template(params: Any, values: Mapping[str, Any]) -> None:
    if "chat-template-file" in values:
        params.chat_template = _read("--chat-template-file", values["chat-template-file"])
    template = {
        name: json.dumps(value) for name, value in values.get("chat-template-kwargs", {}).items()
    }
    if "reasoning" in values:
        params.enable_reasoning = values["reasoning"]
        if values["reasoning"] >= 0:
            template["enable_thinking"] = json.dumps(bool(values["reasoning"]))
    if values.get("reasoning-effort", "default") != "default":
        template["reasoning_effort"] = json.dumps(values["reasoning-effort"])
    if "reasoning-preserve" in values:
        template["preserve_reasoning"] = json.dumps(values["reasoning-preserve"])
        params.preserve_reasoning_specified = True
    if template:
        params.default_template_kwargs = template


def _sampling(x: Any, params: Any, values: Mapping[str, Any]) -> None:
    bits = x.common_params_sampling_config
    for key, bit in CHOSEN.items():
        if key in values:
            params.sampling.user_sampling_config |= int(
                getattr(bits, f"COMMON_PARAMS_SAMPLING_CONFIG_{bit}")
            )
    kinds = x.common_grammar_type
    if "grammar" in values or "grammar-file" in values:
        text = values.get("grammar") or _read("--grammar-file", values["grammar-file"])
        params.sampling.grammar = x.CommonGrammar(kinds.COMMON_GRAMMAR_TYPE_USER, text)
    schema = values.get("json-schema")
    if schema is None and "json-schema-file" in values:
        option = "--json-schema-file"
        try:
            schema = json_object(_read(option, values["json-schema-file"]))
        except ValueError as error:
            raise LlmstackError(
                f"{option} has wrong contents", why=str(error), fix="write a JSON schema in it"
            ) from None
    if schema is not None:
        params.sampling.grammar = x.CommonGrammar(
            kinds.COMMON_GRAMMAR_TYPE_OUTPUT_FORMAT, x.json_schema_to_grammar(schema)
        )
    if "spec-type" in values:
        params.speculative.types = [_drafting(x, name) for name in values["spec-type"]]


def _drafting(x: Any, name: str) -> object:
    prefix = "COMMON_SPECULATIVE_TYPE_"
    members = {
        member.name.removeprefix(prefix).lower().replace("_", "-"): member
        for member in x.common_speculative_type
        if member.name != f"{prefix}COUNT"
    }
    if name not in members:
        raise LlmstackError(
            "--spec-type has a wrong value",
            why=f"expected {', '.join(members)}, got {name!r}",
            fix="write --spec-type TYPES",
        )
    return members[name]


def _read(option: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LlmstackError(
            f"{option} cannot be read", why=f"{path}: {reason}", fix=f"check the path of {option}"
        ) from None
