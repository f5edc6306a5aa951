"""A llama-server's command line says how many tokens one slot has."""

from __future__ import annotations

import pytest

from llmstack.residency.window import asked_window


@pytest.mark.parametrize(
    ("command", "tokens"),
    [
        ("llama-server -m x.gguf -c 8192", 8192),
        ("/opt/bin/llama-server -hf a/b --ctx-size 32768 --port 1", 32_768),
        ("llama-server -m x --ctx-size=4096", 4096),
        ("python -m llmstack.llama_server -m x -c 16384 -np 2", 8192),
        ("llama-server -m x -c 16384 --parallel 4 --kv-unified", 16_384),
        ("llama-server -m x -c 16384 --no-kv-unified", 16_384),
        ("llama-server -m x -c 16384 -np -1", 16_384),
        ("llama-server -m x -c 16384 -np 4 -kvu --kv-unified-per-slot 6000", 6000),
        ("llama-server -m x -np 4 --kv-unified-per-slot 6000", 6000),
        ("env A=1 llama-server -m x -c 16384", 16_384),
        ("llama-server -m x", 0),
        ("llama-server -m x -c 0", 0),
        ("llama-server -m x -c many", 0),
        ("vllm serve x -c 8192", 0),
        ("docker run image llama-server -c 8192", 0),
        ("", 0),
    ],
)
def test_the_window_of_a_slot(command: str, tokens: int) -> None:
    assert asked_window(command.split(), {}) == tokens


def test_llama_servers_variables_count() -> None:
    assert asked_window(["llama-server", "-m", "x"], {"LLAMA_ARG_CTX_SIZE": "2048"}) == 2048
