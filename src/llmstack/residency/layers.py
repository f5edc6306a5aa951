"""Which layers of a model keep what in its cache: the memory formulae by architecture. Pure.

Rules and names are llama.cpp's: keys and values per attention layer, one latent for MLA, fewer
cells behind a sliding window, a fixed state for recurrent layers, nothing where layers share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.hub.gguf import Gguf
    from llmstack.residency.sizing import Sizing

#: Cells are handed out in multiples of this.
PADDING = 256

#: A model has no more layers than this; a file that claims more is lying.
MAX_LAYERS = 4096

#: One layer in so many sees everything, the others look through a window, where the file does not
#: say so itself. Other architectures with a window in their file do not get a smaller cache.
_WINDOW_PERIODS = {
    "afmoe": 4,
    "cohere2": 4,
    "exaone4": 4,
    "exaone-moe": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gemma4": 6,
    "gpt-oss": 2,
    "llama4": 4,
    "olmo2": 4,
    "smallthinker": 4,
}
#: Layers whose cache the last layers use as well, where the file does not say how many do.
_OWN_CACHES = {"gemma3n": 20}
#: One layer in so many is attention in these hybrids.
_FULL_ATTENTION_INTERVAL = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
#: Every layer is attention and recurrent at once.
_BOTH = {"falcon-h1"}
#: All layers are recurrent.
_RECURRENT = {"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"}
#: A layer without heads is recurrent only if it is no feed-forward layer either.
_FEED_FORWARD_LAYERS = {"nemotron_h", "nemotron_h_moe"}
#: These read a text at once and keep nothing.
_ENCODERS = {
    "bert",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "t5encoder",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """Bytes of cached keys and values, and of recurrent state, of one layer."""

    cache: int = 0
    state: int = 0


class Model:
    """The numbers of a file, under the names of its architecture."""

    def __init__(self, gguf: Gguf) -> None:
        self._gguf = gguf
        self.name = gguf.architecture

    def number(self, key: str, default: int = 0) -> int:
        """A whole number; of an array its largest item. Negative and wrong ones are 0."""
        value = self._gguf.metadata.get(f"{self.name}.{key}", default)
        if isinstance(value, tuple):
            value = max(value, default=0)
        if isinstance(value, (str, bool)) or not 0 <= value < 1 << 40:
            return 0
        return int(value)

    def of_layer(self, key: str, layer: int, default: int = 0) -> int:
        """A number that may differ from layer to layer."""
        value = self._gguf.metadata.get(f"{self.name}.{key}")
        if isinstance(value, tuple):
            item = value[layer] if layer < len(value) else 0
            return int(item) if 0 <= item < 1 << 40 else 0
        return self.number(key, default)

    def array(self, key: str) -> tuple[int | float | bool, ...] | None:
        """An array of numbers; None for anything else."""
        value = self._gguf.metadata.get(f"{self.name}.{key}")
        return value if isinstance(value, tuple) else None

    def has(self, key: str) -> bool:
        """Whether the file has the key."""
        return f"{self.name}.{key}" in self._gguf.metadata

    @property
    def layers(self) -> int:
        """Layers that run: those for predicting several tokens at once do not."""
        count = min(self.number("block_count"), MAX_LAYERS)
        return max(count - self.number("nextn_predict_layers"), 0)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self.number("vocab_size") or self._gguf.lengths.get("tokenizer.ggml.tokens", 0)


def context_cells(model: Model, sizing: Sizing) -> int:
    """Cells of all slots together."""
    return _padded(sizing.context or model.number("context_length") or 4096)


def layers_of(model: Model, sizing: Sizing) -> list[Layer]:
    """What each layer keeps, in order."""
    if model.name in _ENCODERS:
        return [Layer()] * model.layers
    own = model.layers - model.number("attention.shared_kv_layers")
    if not model.has("attention.shared_kv_layers"):
        own = _OWN_CACHES.get(model.name, own)
    state = _state(model) * 4 * sizing.slots
    found = []
    for layer in range(model.layers):
        recurrent, attention = _kinds(model, layer)
        cache = _cache(model, layer, sizing) if attention and layer < own else 0
        found.append(Layer(cache, state if recurrent else 0))
    return found


def _kinds(model: Model, layer: int) -> tuple[bool, bool]:
    """Whether a layer is recurrent, and whether it is attention."""
    if model.name in _BOTH:
        return True, True
    if model.name in _RECURRENT:
        return True, False
    marked = model.array("attention.recurrent_layers")
    if marked is not None:
        recurrent = layer < len(marked) and bool(marked[layer])
        return recurrent, not recurrent
    interval = _FULL_ATTENTION_INTERVAL.get(model.name, 0)
    if interval := model.number("full_attention_interval", interval):
        attention = (layer + 1) % interval == 0
        return not attention, attention
    if _heads_kv(model, layer):
        return False, True
    plain = model.name in _FEED_FORWARD_LAYERS and model.of_layer("feed_forward_length", layer) > 0
    return not plain, False


def _heads_kv(model: Model, layer: int) -> int:
    if model.has("attention.head_count_kv"):
        return model.of_layer("attention.head_count_kv", layer)
    return model.of_layer("attention.head_count", layer)


def _cache(model: Model, layer: int, sizing: Sizing) -> int:
    cells = context_cells(model, sizing)
    latent = model.number("attention.kv_lora_rank")
    if latent and (model.has("attention.key_length_mla") or _heads_kv(model, layer) == 1):
        width = latent + model.number("rope.dimension_count")
        return int(cells * width * sizing.key_bytes)
    windowed = _windowed(model, layer)
    if windowed and not sizing.full_windows:
        cells = _window_cells(model, sizing, cells)
    heads = model.number("attention.head_count") or 1
    plain = model.number("embedding_length") // heads
    key = model.number("attention.key_length", plain)
    value = model.number("attention.value_length", plain)
    if windowed:
        key = model.number("attention.key_length_swa", key)
        value = model.number("attention.value_length_swa", value)
    return int(
        cells * _heads_kv(model, layer) * (key * sizing.key_bytes + value * sizing.value_bytes)
    )


def _windowed(model: Model, layer: int) -> bool:
    if not model.number("attention.sliding_window") and not model.number("attention.chunk_size"):
        return False
    marked = model.array("attention.sliding_window_pattern")
    if marked is not None:
        return layer < len(marked) and bool(marked[layer])
    period = model.number("attention.sliding_window_pattern", _WINDOW_PERIODS.get(model.name, 0))
    return period > 0 and layer % period < period - 1


def _window_cells(model: Model, sizing: Sizing, cells: int) -> int:
    """Cells behind a window: those that it shows, and those of the batch under way."""
    window = model.number("attention.sliding_window") or model.number("attention.chunk_size")
    if sizing.unified:
        return min(cells, _padded(window * sizing.slots + sizing.ubatch))
    each = min(_padded(-(-cells // sizing.slots)), _padded(window + sizing.ubatch))
    return each * sizing.slots


def _state(model: Model) -> int:
    """Numbers that a recurrent layer keeps for one sequence."""
    width = model.number("embedding_length")
    if head := model.number("wkv.head_size"):
        return width * (model.number("token_shift_count", 2) + head)
    if short := model.number("shortconv.l_cache"):
        return width * (short - 1)
    kernel = model.number("ssm.conv_kernel")
    if head := model.number("kda.head_dim"):
        heads = model.number("attention.head_count")
        return 3 * (max(kernel, 1) - 1) * heads * head + head * head * heads
    inner, size = model.number("ssm.inner_size"), model.number("ssm.state_size")
    convolution = max(kernel - 1, 0) * (inner + 2 * model.number("ssm.group_count") * size)
    return convolution + size * inner


def _padded(cells: int) -> int:
    return -(-cells // PADDING) * PADDING
