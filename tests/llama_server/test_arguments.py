"""Reading llama-server's command line and environment."""

from __future__ import annotations

import pytest

from llmstack.errors import LlmstackError
from llmstack.llama_server.arguments import Arguments, parse
from llmstack.llama_server.flag import Member


def read(line: str, **environ: str) -> Arguments:
    return parse(line.split(), environ)


def test_an_option_that_nobody_set_is_absent() -> None:
    assert read("").values == {}


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("-m x.gguf", "model", "x.gguf"),
        ("-c 8192", "ctx-size", 8192),
        ("--ctx-size 8192", "ctx-size", 8192),
        ("--ctx_size 8192", "ctx-size", 8192),
        ("--ctx-size=8192", "ctx-size", 8192),
        ("-np -1", "parallel", -1),
        ("-ngl all", "gpu-layers", -2),
        ("-ngl auto", "gpu-layers", -1),
        ("-ngl 99", "gpu-layers", 99),
        ("-ctxcp 8", "ctx-checkpoints", 8),
        ("--temp 0.2", "temp", 0.2),
        ("-s -1", "seed", 0xFFFFFFFF),
        ("--host 127.0.0.1,::1", "host", ("127.0.0.1", "::1")),
        ("--no-warmup", "warmup", False),
        ("-nocb", "cont-batching", False),
        ("--embeddings", "embedding", True),
        ("-fa", "flash-attn", Member("llama_flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_ENABLED")),
        (
            "-fa off",
            "flash-attn",
            Member("llama_flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_DISABLED"),
        ),
        ("-ctk q8_0", "cache-type-k", Member("ggml_type", "GGML_TYPE_Q8_0")),
        ("-lm dio", "load-mode", Member("llama_load_mode", "LLAMA_LOAD_MODE_DIRECT_IO")),
        ("--prio -1", "prio", Member("ggml_sched_priority", "GGML_SCHED_PRIO_LOW")),
    ],
)
def test_an_option_is_read_as_llama_server_reads_it(line: str, key: str, value: object) -> None:
    assert read(line).values == {key: value}


def test_a_bare_flash_attn_leaves_the_next_option_alone() -> None:
    assert read("-fa --port 1").values["port"] == 1


def test_aliases_and_keys_gather_and_other_options_take_the_last() -> None:
    values = read("-a a,b --alias c --port 1 --port 2").values
    assert values["alias"] == ("a", "b", "c")
    assert values["port"] == 2


def test_a_value_may_start_with_a_dash() -> None:
    assert parse(["--chat-template", "-x-"], {}).values == {"chat-template": "-x-"}


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("--frobnicate", "ignored: --frobnicate"),
        ("--override-kv a=int:1 --port 1", "ignored: --override-kv a=int:1"),
        ("--prio-batch -1 --port 1", "ignored: --prio-batch -1"),
        ("--control-vector-layer-range 1 2 --port 1", "ignored: --control-vector-layer-range 1 2"),
    ],
)
def test_an_unknown_option_is_noted_with_its_values_and_ignored(line: str, note: str) -> None:
    arguments = read(line)
    assert arguments.notes == [note]
    assert arguments.values in ({}, {"port": 1})


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("--no-mmap", "NONE"),
        ("--mlock", "MMAP_MLOCK"),
        ("--mlock --no-mmap", "MLOCK"),
        ("--no-mmap --mlock", "MLOCK"),
    ],
)
def test_the_old_ways_to_load_become_load_mode(line: str, mode: str) -> None:
    arguments = read(line)
    assert arguments.values == {"load-mode": Member("llama_load_mode", f"LLAMA_LOAD_MODE_{mode}")}
    assert all("is now --load-mode" in note for note in arguments.notes)
    assert len(arguments.notes) == len(line.split())


@pytest.mark.parametrize("old", ["--draft", "--draft-n", "--draft-max"])
def test_a_renamed_option_works_and_is_noted(old: str) -> None:
    arguments = read(f"{old} 16")
    assert arguments.values == {"spec-draft-n-max": 16}
    assert arguments.notes == [f"note: {old} is now --spec-draft-n-max"]


def test_variables_set_options_and_the_command_line_wins() -> None:
    values = read(
        "--port 2 -a x",
        LLAMA_ARG_HOST="::1",
        LLAMA_ARG_PORT="1",
        LLAMA_ARG_ALIAS="y",
        LLAMA_ARG_WARMUP="1",
        LLAMA_ARG_JINJA="off",
        LLAMA_API_KEY="secret",
    ).values
    assert values == {
        "host": ("::1",),
        "port": 2,
        "alias": ("x",),
        "jinja": False,
        "api-key": ("secret",),
    }


@pytest.mark.parametrize(
    ("line", "question"),
    [("--version", "version"), ("-h", "help"), ("--list-devices", "list-devices"), ("-c 1", "")],
)
def test_questions_are_told_apart(line: str, question: str) -> None:
    assert read(line).question == question


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--port", "--port needs a value"),
        ("--port x", "expected a whole number, got 'x'"),
        ("--temp warm", "expected a number, got 'warm'"),
        ("--rope-scale 0", "expected a number above zero, got '0'"),
        ("-ctk q9", "expected one of f32, f16"),
        ("-fit maybe", "expected on or off, got 'maybe'"),
        ("--chat-template-kwargs [1]", "expected a JSON object, got '[1]'"),
        ("--chat-template-kwargs {", "expected a JSON object, got '{'"),
    ],
)
def test_a_wrong_value_is_an_error_that_says_what_is_wanted(line: str, says: str) -> None:
    with pytest.raises(LlmstackError) as caught:
        read(line)
    assert says in str(caught.value)
    assert caught.value.fix


def test_a_wrong_variable_is_an_error_that_names_it() -> None:
    with pytest.raises(LlmstackError, match="LLAMA_ARG_PORT"):
        read("", LLAMA_ARG_PORT="x")
    with pytest.raises(LlmstackError, match="LLAMA_ARG_JINJA"):
        read("", LLAMA_ARG_JINJA="perhaps")
