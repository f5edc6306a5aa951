"""The formulae give what llama.cpp logs, architecture by architecture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.residency.layers import Model, context_cells, layers_of
from llmstack.residency.sizing import Sizing
from tests.hub.gguf_file import model

if TYPE_CHECKING:
    from typing import Any

    from llmstack.hub.gguf import Gguf

MIB = 1 << 20
PLAIN = Sizing("m.gguf", context=4096, slots=1, unified=False)


def cache(gguf: Gguf, sizing: Sizing = PLAIN) -> float:
    """MiB of keys and values."""
    return sum(layer.cache for layer in layers_of(Model(gguf), sizing)) / MIB


def state(gguf: Gguf, sizing: Sizing = PLAIN) -> float:
    """MiB of recurrent state."""
    return sum(layer.state for layer in layers_of(Model(gguf), sizing)) / MIB


def attention(heads: int, kv: Any, width: int, **more: Any) -> dict[str, Any]:
    return {
        "attention__head_count": heads,
        "attention__head_count_kv": kv,
        "embedding_length": width,
        **more,
    }


SMOL = model("llama", block_count=30, context_length=8192, **attention(9, 3, 576))


def test_grouped_queries_as_logged_for_a_real_model() -> None:
    """SmolLM2-135M: llama.cpp b11549 logs 180.00, 90.00 and 95.62 MiB."""
    assert cache(SMOL, Sizing("m")) == 180.0
    assert cache(SMOL, PLAIN) == 90.0
    quantized = replace(PLAIN, context=0, key_bytes=34 / 32, value_bytes=34 / 32)
    assert cache(SMOL, quantized) == pytest.approx(95.62, abs=0.01)


def test_an_explicit_head_size_counts_and_not_the_quotient() -> None:
    """Qwen3-0.6B: 28 layers of 8 heads of 128, 448 MiB at 4096 cells; the quotient says half."""
    sizes = {"attention__key_length": 128, "attention__value_length": 128}
    assert cache(model("qwen3", block_count=28, **attention(16, 8, 1024), **sizes)) == 448.0


def test_a_latent_cache_has_no_values() -> None:
    """DeepSeek-V3: 61 layers of 512 + 64 numbers, 274.5 MiB at 4096 cells of f16."""
    deepseek = attention(
        128,
        1,
        7168,
        block_count=61,
        attention__kv_lora_rank=512,
        attention__key_length=576,
        attention__value_length=512,
        attention__key_length_mla=192,
        attention__value_length_mla=128,
        rope__dimension_count=64,
    )
    assert cache(model("deepseek2", **deepseek)) == 274.5


def test_layers_that_predict_several_tokens_keep_nothing() -> None:
    with_them = model("glm4moe", block_count=47, nextn_predict_layers=1, **attention(96, 8, 4096))
    without = model("glm4moe", block_count=46, **attention(96, 8, 4096))
    assert cache(with_them) == cache(without)


GEMMA = attention(
    32,
    16,
    5376,
    block_count=62,
    attention__key_length=128,
    attention__value_length=128,
    attention__sliding_window=1024,
)


def test_five_of_six_layers_of_gemma_3_look_through_a_window() -> None:
    """27B at 32768 cells: 10 full layers, 52 with 1024 + 512 cells."""
    gemma = model("gemma3", **GEMMA)
    long = replace(PLAIN, context=32768)
    of_cell = 16 * 2 * 128 * 2 / MIB
    assert cache(gemma, long) == (10 * 32768 + 52 * 1536) * of_cell
    assert cache(gemma, replace(long, full_windows=True)) == 62 * 32768 * of_cell


def test_a_window_holds_every_slots_share() -> None:
    of_cell = 16 * 2 * 128 * 2 / MIB
    gemma = model("gemma3", **GEMMA)
    shared = replace(PLAIN, context=32768, slots=4, unified=True)
    assert cache(gemma, shared) == (10 * 32768 + 52 * (4 * 1024 + 512)) * of_cell
    apart = replace(shared, unified=False)
    assert cache(gemma, apart) == (10 * 32768 + 52 * 4 * 1536) * of_cell
    short = replace(PLAIN, context=512)
    assert cache(gemma, short) == 62 * 512 * of_cell


def test_the_file_says_which_layers_have_a_window() -> None:
    pattern = {"attention__sliding_window_pattern": (True, False, True)}
    sizes = {"attention__sliding_window": 256, "attention__key_length_swa": 32}
    found = layers_of(
        Model(model("gemma4", block_count=3, **attention(4, 2, 256), **pattern, **sizes)), PLAIN
    )
    assert [layer.cache for layer in found] == [
        768 * 2 * (32 + 64) * 2,
        4096 * 2 * (64 + 64) * 2,
        768 * 2 * (32 + 64) * 2,
    ]


def test_a_window_that_llama_cpp_ignores_makes_nothing_smaller() -> None:
    plain = model("llama", block_count=2, **attention(4, 4, 256))
    windowed = model("llama", block_count=2, **attention(4, 4, 256), attention__sliding_window=512)
    assert cache(plain) == cache(windowed)


HYBRID = attention(
    32,
    4,
    5120,
    block_count=64,
    full_attention_interval=4,
    attention__key_length=256,
    attention__value_length=256,
    ssm__conv_kernel=4,
    ssm__inner_size=6144,
    ssm__state_size=128,
    ssm__group_count=16,
)


def test_hybrids_cache_in_every_fourth_layer_and_keep_a_state_in_the_others() -> None:
    """The logged truth of a 27B: 262144 cells over 16 layers, state of 4 sequences."""
    hybrid = model("qwen35", **HYBRID)
    sizing = replace(PLAIN, context=262144, slots=4, unified=True)
    assert cache(hybrid, sizing) == 16384.0
    assert state(hybrid, sizing) == pytest.approx(598.5, abs=0.1)
    defaulted = model("qwen35", **{k: v for k, v in HYBRID.items() if "interval" not in k})
    assert cache(defaulted, sizing) == 16384.0


def test_a_list_of_recurrent_layers_goes_before_the_interval() -> None:
    listed = {**HYBRID, "block_count": 4, "attention__recurrent_layers": (True, True, False, False)}
    found = layers_of(Model(model("qwen35", **listed)), PLAIN)
    assert [bool(layer.cache) for layer in found] == [False, False, True, True]
    assert [bool(layer.state) for layer in found] == [True, True, False, False]


def test_layers_without_heads_are_recurrent_or_mere_feed_forward() -> None:
    jamba = model(
        "jamba",
        block_count=3,
        **attention(8, (0, 8, 0), 64),
        ssm__conv_kernel=4,
        ssm__inner_size=128,
        ssm__state_size=16,
    )
    found = layers_of(Model(jamba), PLAIN)
    assert [(bool(layer.cache), bool(layer.state)) for layer in found] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    nemotron = model(
        "nemotron_h",
        block_count=3,
        **attention(8, (0, 8, 0), 64),
        feed_forward_length=(0, 0, 512),
        ssm__inner_size=128,
        ssm__state_size=16,
    )
    assert [bool(layer.state) for layer in layers_of(Model(nemotron), PLAIN)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("gguf", "numbers"),
    [
        (model("lfm2", block_count=1, embedding_length=8, shortconv__l_cache=3), 16),
        (model("rwkv7", block_count=1, embedding_length=8, wkv__head_size=4), 8 * (2 + 4)),
        (
            model("mamba", block_count=1, ssm__conv_kernel=4, ssm__inner_size=6, ssm__state_size=2),
            3 * 6 + 12,
        ),
        (
            model(
                "kimi-linear",
                block_count=1,
                attention__head_count=2,
                attention__head_count_kv=(0,),
                kda__head_dim=4,
                ssm__conv_kernel=4,
            ),
            3 * 3 * 8 + 4 * 4 * 2,
        ),
    ],
    ids=["short convolution", "rwkv", "mamba", "kda"],
)
def test_the_state_of_a_recurrent_layer_is_by_sequence(gguf: Gguf, numbers: int) -> None:
    three = replace(PLAIN, slots=3)
    assert state(gguf, three) * MIB == numbers * 4 * 3
    assert cache(gguf, three) == 0


def test_layers_that_use_another_ones_cache_have_none() -> None:
    shared = model("gemma4", block_count=10, attention__shared_kv_layers=4, **attention(4, 2, 64))
    assert [bool(layer.cache) for layer in layers_of(Model(shared), PLAIN)] == [True] * 6 + [
        False
    ] * 4


def test_encoders_keep_nothing() -> None:
    assert cache(model("nomic-bert", block_count=12, **attention(12, 12, 768))) == 0


def test_the_context_is_the_models_own_unless_told_and_comes_in_steps() -> None:
    assert context_cells(Model(SMOL), Sizing("m")) == 8192
    assert context_cells(Model(SMOL), Sizing("m", context=1000)) == 1024
    assert context_cells(Model(model("x")), Sizing("m")) == 4096


hostile = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=5),
    st.booleans(),
    st.lists(st.integers(-(2**63), 2**64 - 1), max_size=3).map(tuple),
)
KEYS = [
    "block_count",
    "context_length",
    "embedding_length",
    "full_attention_interval",
    "nextn_predict_layers",
    "attention__head_count",
    "attention__head_count_kv",
    "attention__key_length",
    "attention__kv_lora_rank",
    "attention__recurrent_layers",
    "attention__shared_kv_layers",
    "attention__sliding_window",
    "attention__sliding_window_pattern",
    "ssm__inner_size",
    "ssm__state_size",
    "wkv__head_size",
]


@given(
    name=st.sampled_from(["llama", "gemma3", "qwen35", "nemotron_h", "deepseek2", ""]),
    numbers=st.dictionaries(st.sampled_from(KEYS), hostile),
    slots=st.integers(1, 8),
)
def test_numbers_that_make_no_sense_give_no_negative_bytes(
    name: str, numbers: dict[str, Any], slots: int
) -> None:
    for layer in layers_of(Model(model(name, **numbers)), replace(PLAIN, slots=slots, context=0)):
        assert layer.cache >= 0
        assert layer.state >= 0
