"""What upstreams say of a prompt that is too long."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.context.overflow import Overflow, read_overflow


def _error(message: str, **members: object) -> bytes:
    return json.dumps({"error": {"message": message, **members}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "learned"),
    [
        pytest.param(
            400,
            _error(
                "request (9412 tokens) exceeds the available context size (8192 tokens), try"
                " increasing it",
                code=400,
                type="exceed_context_size_error",
                n_prompt_tokens=9412,
                n_ctx=8192,
            ),
            Overflow(8192, 9412),
            id="llama-server",
        ),
        pytest.param(
            400,
            _error("request (9412 tokens) exceeds the available context size (8192 tokens)"),
            Overflow(8192, 9412),
            id="llama-server, words only",
        ),
        pytest.param(
            400,
            _error(
                "This model's maximum context length is 8192 tokens. However, your messages"
                " resulted in 8545 tokens. Please reduce the length of the messages.",
                type="invalid_request_error",
                param="messages",
                code="context_length_exceeded",
            ),
            Overflow(8192, 8545),
            id="OpenAI",
        ),
        pytest.param(
            400,
            _error(
                "Your input exceeds the context window of this model. Please adjust your input"
                " and try again.",
                code="context_length_exceeded",
            ),
            Overflow(),
            id="OpenAI Responses",
        ),
        pytest.param(
            400,
            json.dumps(
                {
                    "type": "error",
                    "error": {
                        "type": "invalid_request_error",
                        "message": "prompt is too long: 210883 tokens > 199999 maximum",
                    },
                }
            ).encode(),
            Overflow(199999, 210883),
            id="Anthropic",
        ),
        pytest.param(
            400,
            json.dumps(
                {
                    "object": "error",
                    "message": "This model's maximum context length is 4096 tokens. However, you"
                    " requested 5000 tokens (4744 in the messages, 256 in the completion).",
                }
            ).encode(),
            Overflow(4096, 4744),
            id="vLLM",
        ),
        pytest.param(
            400,
            _error(
                "You passed 4097 input tokens and requested 0 output tokens. However, the"
                " model's context length is only 4096 tokens"
            ),
            Overflow(4096, 4097),
            id="vLLM, newer",
        ),
        pytest.param(
            400,
            b'{"error":"prompt too long; exceeded max context length by 12 tokens"}',
            Overflow(),
            id="Ollama",
        ),
        pytest.param(
            400,
            b'{"message":"Input is too long for requested model."}',
            Overflow(),
            id="Bedrock",
        ),
    ],
)
def test_an_overflow_is_known_with_its_numbers(status: int, body: bytes, learned: Overflow) -> None:
    assert read_overflow(status, body) == learned


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, _error("max_tokens: 17000 > 8192, which is the maximum allowed number")),
        (400, _error("temperature must be at most 2")),
        (400, b'{"message":"Too many tokens per minute, please wait"}'),
        (429, _error("too many tokens", type="rate_limit_error")),
        (200, _error("prompt is too long: 2 tokens > 1 maximum")),
        (500, b"Internal Server Error"),
    ],
)
def test_other_errors_are_other_errors(status: int, body: bytes) -> None:
    assert read_overflow(status, body) is None


@given(st.sampled_from([400, 413, 500]), st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_are_read_without_harm(status: int, body: bytes) -> None:
    found = read_overflow(status, b'{"error":{"message":' + body + b"}}")
    assert found is None or found.window >= 0
