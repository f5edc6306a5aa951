"""How much memory a model takes, part by part, estimated from its file and its options. Pure.

The estimate is for planning. What was measured after a load is truer, and ``Known`` says which of
the two a number is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmstack.residency.layers import Layer, Model, context_cells, layers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.hub.gguf import Gguf
    from llmstack.residency.sizing import Sizing

_MIB = 1 << 20
#: Room that a projector works in, whatever its size.
PROJECTOR_ROOM = 1 << 30
#: What a server takes before it has a model: on the host, and for the context of a GPU's driver.
SERVER, GPU_CONTEXT = 48 * _MIB, 300 * _MIB

#: Where a number comes from, the most trusted first.
Source = Literal["declared", "measured", "estimated", "unknown"]
#: Which memory a budget is about: the GPUs' own, or the machine's.
Pool = Literal["gpu", "machine"]


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes on the GPU and on the host of one part. Without a GPU of its own both are one."""

    gpu: int = 0
    host: int = 0

    def __add__(self, other: Share) -> Share:
        """Both together."""
        return Share(self.gpu + other.gpu, self.host + other.host)

    def of(self, pool: Pool) -> int:
        """The bytes that count in ``pool``."""
        return self.gpu if pool == "gpu" else self.gpu + self.host


@dataclass(frozen=True, slots=True)
class Footprint:
    """The parts of an estimate; ``cells`` is the context that it is for.

    ``weights``: the file's tensors and those of adapters. ``cache``: keys and values. ``state``:
    that of recurrent layers. ``compute``: buffers of one batch. ``projector`` and ``draft``:
    everything of those. ``process``: what a server takes without a model. The prompt cache
    (``--cache-ram``) is in none: it grows with use, and only measuring tells.
    """

    weights: Share
    cache: Share = Share()
    state: Share = Share()
    compute: Share = Share()
    projector: Share = Share()
    draft: Share = Share()
    process: Share = Share()
    cells: int = 0

    def parts(self) -> tuple[tuple[str, Share], ...]:
        """The parts by name, those without bytes left out."""
        named = (
            ("weights", self.weights),
            ("cache", self.cache),
            ("state", self.state),
            ("compute", self.compute),
            ("projector", self.projector),
            ("draft", self.draft),
            ("process", self.process),
        )
        return tuple(part for part in named if part[1].gpu or part[1].host)

    def total(self, pool: Pool) -> int:
        """All parts that count in ``pool``."""
        return sum(share.of(pool) for _, share in self.parts())


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one model's memory: ``size`` in bytes, None for unknown.

    ``load_seconds`` is how long its last load took, if it was measured. ``parts`` is the estimate
    if there is one, ``why`` says why there is none. ``key`` stands for everything that a load's
    memory depends on; what was measured under it holds for it.
    """

    size: int | None
    source: Source
    load_seconds: float | None = None
    parts: Footprint | None = None
    why: str = ""
    key: str = ""


def estimate(
    sizing: Sizing, files: Mapping[str, tuple[Gguf, ...]], pool: Pool = "machine"
) -> Footprint:
    """The footprint of a server with ``sizing``.

    ``files`` holds the headers of all of ``sizing.files()``, every part of a split model.
    """
    parts = files[sizing.model]
    model = Model(parts[0])
    on_gpu = _gpu_layers(model, sizing)
    weights = Share()
    for part in parts:
        weights += _weights(part, model, sizing, on_gpu)
    for adapter in sizing.adapters:
        weights += Share(gpu=_tensor_bytes(files[adapter]))
    layers = layers_of(model, sizing)
    cells = context_cells(model, sizing)
    projector = Share()
    if sizing.projector:
        size = _tensor_bytes(files[sizing.projector]) + PROJECTOR_ROOM
        projector = Share(gpu=size) if sizing.projector_on_gpu else Share(host=size)
    draft = estimate(sizing.draft, files, pool) if sizing.draft else None
    context = GPU_CONTEXT if on_gpu and pool == "gpu" else 0
    return Footprint(
        weights=weights,
        cache=_placed([layer.cache for layer in layers], on_gpu if sizing.cache_on_gpu else 0),
        state=_placed([layer.state for layer in layers], on_gpu if sizing.cache_on_gpu else 0),
        compute=_compute(model, sizing, layers, cells, on_gpu),
        projector=projector,
        # One process, so the draft adds no server of its own.
        draft=_sum(draft) if draft else Share(),
        process=Share(gpu=context, host=SERVER),
        cells=cells,
    )


def _sum(draft: Footprint) -> Share:
    total = Share()
    for name, share in draft.parts():
        total += Share() if name == "process" else share
    return total


def _tensor_bytes(parts: tuple[Gguf, ...]) -> int:
    return sum(sum(part.tensors.values()) for part in parts)


def _gpu_layers(model: Model, sizing: Sizing) -> int:
    """How many layers are on the GPU, the output counted as the last one."""
    everything = model.layers + 1
    return everything if sizing.gpu_layers is None else min(sizing.gpu_layers, everything)


def _weights(part: Gguf, model: Model, sizing: Sizing, on_gpu: int) -> Share:
    """The first layers and the input table stay on the host; so does what a pattern names."""
    first = model.layers + 1 - on_gpu
    gpu = host = 0
    for name, size in part.tensors.items():
        if name.startswith("blk."):
            number = name[4:].partition(".")[0]
            away = number.isdecimal() and len(number) < 6 and int(number) < first
        elif name.startswith(("token_embd.", "per_layer_token_embd.")):
            away = True
        else:
            away = not on_gpu
        if away or any(pattern.search(name) for pattern in sizing.host_tensors):
            host += size
        else:
            gpu += size
    if on_gpu and "token_embd.weight" in part.tensors and "output.weight" not in part.tensors:
        # Tied: the GPU gets a copy of the table for the output. In one memory there is one.
        gpu += (tied := part.tensors["token_embd.weight"])
        host -= tied
    return Share(gpu, host)


def _placed(sizes: list[int], on_gpu: int) -> Share:
    """Bytes per layer, of which the last ones are on the GPU."""
    split = max(len(sizes) + 1 - on_gpu, 0) if on_gpu else len(sizes)
    return Share(gpu=sum(sizes[split:]), host=sum(sizes[:split]))


def _compute(model: Model, sizing: Sizing, layers: list[Layer], cells: int, on_gpu: int) -> Share:
    """Buffers of one batch: its widest step, a mask over the cells, one output per slot.

    The steps use the same memory one after the other; the widest one is the inside of a
    feed-forward layer. Compared with what llama.cpp b11549 logs.
    """
    width = model.number("embedding_length")
    experts = max(model.number("expert_used_count"), 1) * model.number("expert_feed_forward_length")
    inside = max(model.number("feed_forward_length"), experts)
    size = sizing.ubatch * (3 * inside + 5 * width) * 4
    size += sizing.slots * (model.vocabulary + width) * 4
    if any(layer.cache for layer in layers):
        seen = cells if sizing.unified else -(-cells // sizing.slots)
        size += sizing.ubatch * seen * 2
    return Share(gpu=size) if on_gpu else Share(host=size)
