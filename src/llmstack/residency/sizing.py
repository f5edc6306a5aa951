"""What a llama-server command line says about the memory it will take. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from llmstack.llama_server.arguments import parse
from llmstack.llama_server.flag import Member

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Slots that llama-server opens by itself; they then share the context.
AUTO_SLOTS = 4

#: Bytes per element of the types of cached keys and values.
TYPE_BYTES = {
    "F32": 4.0,
    "F16": 2.0,
    "BF16": 2.0,
    "Q8_0": 34 / 32,
    "Q5_1": 24 / 32,
    "Q5_0": 22 / 32,
    "Q4_1": 20 / 32,
    "Q4_0": 18 / 32,
    "IQ4_NL": 18 / 32,
}

_SERVER = re.compile(r"(?:^|[/\\])llama-server[^/\\]*$")
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"


@dataclass(frozen=True, slots=True)
class Sizing:
    """The options that decide over memory.

    ``context`` is in tokens over all slots, 0 for the model's own. ``key_bytes`` and
    ``value_bytes`` are per element. ``gpu_layers`` None is all of them. ``host_tensors`` are
    patterns of names that stay off the GPU. Paths are as written; empty means none.
    """

    model: str
    context: int = 0
    slots: int = AUTO_SLOTS
    unified: bool = True
    ubatch: int = 512
    key_bytes: float = 2.0
    value_bytes: float = 2.0
    full_windows: bool = False
    gpu_layers: int | None = None
    cache_on_gpu: bool = True
    host_tensors: tuple[re.Pattern[str], ...] = ()
    projector: str = ""
    projector_on_gpu: bool = True
    adapters: tuple[str, ...] = ()
    draft: Sizing | None = None

    def files(self) -> tuple[str, ...]:
        """Every file that is loaded; of a split model the first part."""
        draft = self.draft.files() if self.draft else ()
        named = (self.model, self.projector, *self.adapters, *draft)
        return tuple(name for name in named if name)


def read_sizing(argv: Sequence[str], environ: Mapping[str, str]) -> Sizing | None:
    """The sizing of a llama-server started as ``argv`` with its variables in ``environ``.

    None for any other program, one in a container, and one whose model is no file named here.
    Raises LlmstackError if an option's value is malformed.
    """
    flags = server_flags(argv)
    if flags is None:
        return None
    values = parse(flags, environ).values
    model = str(values.get("model", ""))
    if not model:
        return None
    auto = _integer(values, "parallel", -1) < 1
    no_device = any(
        flag in {"-dev", "--device"} and value == "none" for flag, value in pairwise(flags)
    )
    sizing = Sizing(
        model=model,
        context=max(_integer(values, "ctx-size", 0), 0),
        slots=AUTO_SLOTS if auto else _integer(values, "parallel", 1),
        unified=bool(values.get("kv-unified", auto)),
        ubatch=max(
            min(_integer(values, "ubatch-size", 512), _integer(values, "batch-size", 2048)), 1
        ),
        key_bytes=_type_bytes(values, "cache-type-k"),
        value_bytes=_type_bytes(values, "cache-type-v"),
        full_windows=bool(values.get("swa-full", False)),
        gpu_layers=0 if no_device else _layers(values, "gpu-layers"),
        cache_on_gpu=bool(values.get("kv-offload", True)),
        host_tensors=_host_tensors(values),
        projector=str(values.get("mmproj", "")),
        projector_on_gpu=bool(values.get("mmproj-offload", True)) and not no_device,
        adapters=_adapters(values),
    )
    return _with_draft(sizing, values) if values.get("model-draft") else sizing


def server_flags(argv: Sequence[str]) -> Sequence[str] | None:
    """What follows the server's program, behind wrappers such as ``env`` or ``taskset``."""
    if argv and re.search(r"(?:^|[/\\])(docker|podman)$", argv[0]):
        return None
    for index, word in enumerate(argv):
        if word == "llmstack.llama_server" or _SERVER.search(word):
            return argv[index + 1 :]
    return None


def _with_draft(target: Sizing, values: Mapping[str, Any]) -> Sizing:
    """``target`` with its draft model, which has the same cells and slots."""
    draft = replace(
        target,
        model=str(values["model-draft"]),
        key_bytes=_type_bytes(values, "spec-draft-type-k"),
        value_bytes=_type_bytes(values, "spec-draft-type-v"),
        gpu_layers=_layers(values, "spec-draft-ngl"),
        host_tensors=(),
        projector="",
        adapters=(),
    )
    return replace(target, draft=draft)


def _integer(values: Mapping[str, Any], key: str, default: int) -> int:
    value = values.get(key, default)
    return value if isinstance(value, int) else default


def _layers(values: Mapping[str, Any], key: str) -> int | None:
    count = _integer(values, key, -1)
    return None if count < 0 else count


def _type_bytes(values: Mapping[str, Any], key: str) -> float:
    member = values.get(key)
    name = member.name.removeprefix("GGML_TYPE_") if isinstance(member, Member) else "F16"
    return TYPE_BYTES.get(name, 2.0)


def first_experts(count: int) -> str:
    """The pattern of what ``--n-cpu-moe count`` keeps off the GPU."""
    layers = "|".join(str(layer) for layer in range(count))
    return rf"^blk\.({layers}){_EXPERTS}"


def _host_tensors(values: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    patterns = []
    for override in str(values.get("override-tensor", "")).split(","):
        pattern, _, place = override.rpartition("=")
        if pattern and place.upper() == "CPU":
            patterns.append(pattern)
    if values.get("cpu-moe"):
        patterns.append(_EXPERTS)
    elif count := min(_integer(values, "n-cpu-moe", 0), 1 << 10):
        patterns.append(first_experts(count))
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error:
            continue  # llama-server's own dialect; the estimate is then for the GPU
    return tuple(compiled)


def _adapters(values: Mapping[str, Any]) -> tuple[str, ...]:
    plain = tuple(str(name) for name in values.get("lora", ()))
    scaled = (str(name) for name in values.get("lora-scaled", ()))
    return plain + tuple(name.rpartition(":")[0] or name for name in scaled)
