"""An estimate adds up from its parts, and puts each on the GPU or the host."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.hub.gguf import read_gguf
from llmstack.residency.footprint import (
    GPU_CONTEXT,
    PROJECTOR_ROOM,
    SERVER,
    Footprint,
    Share,
    estimate,
)
from llmstack.residency.sizing import Sizing
from tests.hub.gguf_file import model

MIB = 1 << 20
TINY = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"

TENSORS = {
    "token_embd.weight": 100,
    "blk.0.attn.weight": 10,
    "blk.0.ffn_up_exps.weight": 1000,
    "blk.1.attn.weight": 20,
    "blk.1.ffn_up_exps.weight": 2000,
    "output.weight": 200,
}
GGUF = model(
    "llama",
    TENSORS,
    block_count=2,
    context_length=512,
    vocab_size=1000,
    attention__head_count=4,
    attention__head_count_kv=2,
    embedding_length=64,
    feed_forward_length=256,
)
SIZING = Sizing("m.gguf", slots=1, unified=False)
CACHE = 512 * 2 * (16 + 16) * 2


def of(sizing: Sizing) -> Footprint:
    return estimate(sizing, dict.fromkeys(sizing.files(), (GGUF,)), "gpu")


def test_a_real_model_takes_what_llama_cpp_logs() -> None:
    """tiny-chat at 4096 cells: model 1.70 MiB, KV 7.50 MiB."""
    found = estimate(Sizing(str(TINY), context=4096), {str(TINY): (read_gguf(TINY),)}, "machine")
    assert found.weights.of("machine") / MIB == pytest.approx(1.70, abs=0.01)
    assert found.cache.of("machine") / MIB == 7.5
    assert found.cells == 4096
    assert found.total("machine") == sum(share.of("machine") for _, share in found.parts())


def test_the_input_table_stays_on_the_host_and_all_else_goes_to_the_gpu() -> None:
    found = of(SIZING)
    assert found.weights == Share(gpu=3230, host=100)
    assert found.cache == Share(gpu=2 * CACHE)
    assert found.process == Share(gpu=GPU_CONTEXT, host=SERVER)
    assert found.compute.host == 0
    assert found.compute.gpu > 0


def test_the_last_layers_go_to_the_gpu_first() -> None:
    """With 2 of 3, the output being the third: blk.1 and the output."""
    found = of(replace(SIZING, gpu_layers=2))
    assert found.weights == Share(gpu=2220, host=1110)
    assert found.cache == Share(gpu=CACHE, host=CACHE)


def test_nothing_is_on_the_gpu_without_layers() -> None:
    found = of(replace(SIZING, gpu_layers=0))
    assert found.total("gpu") == 0
    assert found.total("machine") == of(SIZING).total("machine") - GPU_CONTEXT


def test_experts_and_cache_may_be_kept_off() -> None:
    sizing = replace(SIZING, host_tensors=(re.compile("exps"),), cache_on_gpu=False)
    assert of(sizing).weights == Share(gpu=230, host=3100)
    assert of(sizing).cache == Share(host=2 * CACHE)


def test_a_tied_table_is_on_the_gpu_for_the_output() -> None:
    tied = {name: size for name, size in TENSORS.items() if name != "output.weight"}
    found = estimate(SIZING, {"m.gguf": (replace(GGUF, tensors=tied),)}, "gpu")
    assert found.weights == Share(gpu=3130)


def test_every_part_of_a_split_model_counts() -> None:
    second = model("llama", {"blk.1.more": 7})
    found = estimate(SIZING, {"m.gguf": (GGUF, second)}, "gpu")
    assert found.weights == Share(gpu=3237, host=100)


def test_projector_adapters_and_draft_are_parts() -> None:
    draft = replace(SIZING, model="d.gguf", gpu_layers=0)
    sizing = replace(SIZING, projector="p.gguf", adapters=("a.gguf",), draft=draft)
    found = of(sizing)
    assert found.projector == Share(gpu=3330 + PROJECTOR_ROOM)
    assert found.weights == Share(gpu=3230 + 3330, host=100)
    alone = of(draft)
    assert found.draft == Share(host=alone.total("machine") - SERVER)
    off = replace(sizing, projector_on_gpu=False)
    assert of(off).projector == Share(host=3330 + PROJECTOR_ROOM)


def test_a_memory_that_is_shared_has_no_second_context() -> None:
    found = estimate(SIZING, {"m.gguf": (GGUF,)}, "machine")
    assert found.process == Share(host=SERVER)
