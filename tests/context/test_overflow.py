"""Servers' refusals of prompts that are too long are understood, and others are not."""

from __future__ import annotations

import json

import pytest

from llmstack.context.overflow import Overflow, read_overflow

LLAMA = {
    "error": {
        "code": 400,
        "message": "request (9000 tokens) exceeds the available context size (8192 tokens), "
        "try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9000,
        "n_ctx": 8192,
    }
}
OPENAI = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in "
    "130001 tokens. Please reduce the length of the messages."
)
VLLM = (
    "This model's maximum context length is 4,096 tokens. However, you requested 5000 tokens "
    "(4500 in the messages, 500 in the completion)."
)
OPENROUTER = (
    "This endpoint's maximum context length is 131072 tokens. However, you requested about "
    "150000 tokens (149000 of text input, 1000 in the output)."
)
GEMINI = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    ("error", "overflow"),
    [
        (LLAMA, Overflow(8192, 9000)),
        (
            {"error": {"message": OPENAI, "code": "context_length_exceeded"}},
            Overflow(128_000, 130_001),
        ),
        ({"object": "error", "message": VLLM, "code": 400}, Overflow(4096, 4500)),
        ({"error": {"message": OPENROUTER, "code": 400}}, Overflow(131_072, 149_000)),
        (
            [{"error": {"message": GEMINI, "status": "INVALID_ARGUMENT"}}],
            Overflow(1_048_576, 1_200_000),
        ),
        (
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "prompt is too long: 210000 tokens > 200000 maximum",
                },
            },
            Overflow(200_000, 210_000),
        ),
        ({"message": "Input is too long for requested model."}, Overflow()),
        ({"error": "the model's context window is 2048"}, Overflow(2048)),
    ],
)
def test_each_servers_words_are_understood(error: object, overflow: Overflow) -> None:
    assert read_overflow(400, json.dumps(error).encode()) == overflow


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error": {"message": "messages: roles must alternate", "code": 400}}'),
        (400, b'{"error": {"message": "max_tokens must be at least 1, got 0"}}'),
        (200, json.dumps(LLAMA).encode()),
        (429, json.dumps(LLAMA).encode()),
        (400, b""),
        (400, b"\xff\xfe"),
        (400, b"[" * 10_000),
        (400, b"x" * 1_000_000),
    ],
)
def test_other_answers_are_no_overflow(status: int, body: bytes) -> None:
    assert read_overflow(status, body) is None


def test_nonsense_numbers_are_not_believed() -> None:
    body = {"error": {"type": "exceed_context_size_error", "n_ctx": -4, "n_prompt_tokens": True}}
    assert read_overflow(400, json.dumps(body).encode()) == Overflow()
