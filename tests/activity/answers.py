"""Answers in the shapes of the APIs, and what is to be read out of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from llmstack.activity.tally import Usage

SSE = "text/event-stream"
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """One answer; ``usage`` is what it says."""

    name: str
    content_type: str
    body: bytes
    usage: Usage
    path: str = "/v1/chat/completions"


def events(*parts: Any, done: bool = True, end: str = "\n\n") -> bytes:
    """An event stream of JSON values; a string is a line of its own."""
    lines = [part if isinstance(part, str) else f"data: {json.dumps(part)}" for part in parts]
    return "".join(f"{line}{end}" for line in [*lines, *["data: [DONE]"] * done]).encode()


def found(tokens_in: int, tokens_out: int, cached: int = -1, **more: Any) -> Usage:
    """A usage whose other numbers are unknown."""
    unknown = {
        "draft_tokens": -1,
        "draft_acc_tokens": -1,
        "prompt_per_second": -1.0,
        "tokens_per_second": -1.0,
    }
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_tokens=cached,
        found=True,
        **{**unknown, **more},
    )


DELTA = {"choices": [{"delta": {"content": 'say "usage": {"prompt_tokens": 5} and \\ "timings"'}}]}
OPENAI = {
    "prompt_tokens": 24,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 8},
}
TIMINGS = {
    "cache_n": 23,
    "prompt_n": 1,
    "prompt_ms": 100.5,
    "prompt_per_second": 10.0,
    "predicted_n": 3,
    "predicted_ms": 200.25,
    "predicted_per_second": 15.0,
}
METRICS = {
    "time_to_first_token_ms": 200,
    "mean_itl_ms": 20,
    "speculative_decoding": {"num_draft_tokens": 10, "num_accepted_draft_tokens": 4},
}
TIMED = found(1, 3, 23, prompt_per_second=10.0, tokens_per_second=15.0, model_ms=300.75,
              apart_tokens=23)  # fmt: skip
DECOY = {"content": [{"input": {"usage": {"input_tokens": 99}, "timings": {"prompt_n": 99}}}]}
LARGE = 'lots of "usage" \\ text {[ ' * 6000

ANSWERS = [
    Answer("chat", JSON, json.dumps({**DECOY, "usage": OPENAI}).encode(), found(24, 3, 8)),
    Answer("indented", JSON, json.dumps({"usage": OPENAI}, indent=2).encode(), found(24, 3, 8)),
    Answer("no usage", JSON, b'{"choices":[]}', Usage()),
    Answer("usage null", JSON, b'{"usage":null}', Usage()),
    Answer("usage empty", JSON, b'{"usage":{}}', found(0, 0)),
    Answer("empty", JSON, b"", Usage()),
    Answer("blank", JSON, b" \n ", Usage()),
    Answer("not JSON", JSON, b'{"usage":{"prompt_tokens":1}', Usage()),
    Answer("text", "text/plain", b'say "usage":{"prompt_tokens":1}', Usage()),
    Answer(
        "odd numbers",
        JSON,
        b'{"usage":{"prompt_tokens":-4,"completion_tokens":1e400,"cache_read_input_tokens":true}}',
        found(0, 0, 0),
    ),
    Answer("timings", JSON, json.dumps({"usage": OPENAI, "timings": TIMINGS}).encode(), TIMED),
    Answer(
        "timings with drafts and without speeds",
        JSON,
        b'{"timings":{"prompt_n":0,"predicted_n":7,"prompt_per_second":null,"draft_n":9,'
        b'"draft_n_accepted":0},"usage":{"prompt_tokens":1,"cache_read_input_tokens":2}}',
        found(0, 7, 2, draft_tokens=9, draft_acc_tokens=0, apart_tokens=2),
    ),
    Answer(
        "vLLM",
        JSON,
        json.dumps({"usage": OPENAI, "metrics": METRICS}).encode(),
        found(
            24,
            3,
            8,
            draft_tokens=10,
            draft_acc_tokens=4,
            prompt_per_second=80.0,
            tokens_per_second=50.0,
        ),
    ),
    Answer(
        "infill array",
        JSON,
        json.dumps([{"timings": {**TIMINGS, "prompt_n": 50}}, {"timings": TIMINGS}]).encode(),
        TIMED,
        "/infill",
    ),
    Answer(
        "infill array whose last element has no timings",
        JSON,
        json.dumps([{"timings": TIMINGS}, {}]).encode(),
        Usage(),
        "/infill",
    ),
    Answer("array elsewhere", JSON, json.dumps([{"timings": TIMINGS}]).encode(), Usage()),
    Answer(
        "half a surrogate pair",
        JSON,
        b'{"content":"\\ud83d","usage":{"prompt_tokens":1}}',
        found(1, 0),
    ),
    Answer(
        "embeddings with the usage in front",
        JSON,
        json.dumps({"usage": {"prompt_tokens": 9}, "data": [0.125] * 20_000}).encode(),
        found(9, 0),
        "/v1/embeddings",
    ),
    Answer(
        "a large answer",
        JSON,
        json.dumps({**DECOY, "text": LARGE, "usage": OPENAI, "a": [LARGE]}).encode(),
        found(24, 3, 8),
    ),
    Answer(
        "a large infill array",
        JSON,
        json.dumps([{"timings": OPENAI}, {"content": LARGE, "timings": TIMINGS}]).encode(),
        TIMED,
        "/infill",
    ),
    Answer(
        "a large array elsewhere",
        JSON,
        json.dumps([{"content": LARGE, "timings": TIMINGS}]).encode(),
        Usage(),
    ),
    Answer("stream without", SSE, events(DELTA, DELTA, {"usage": None}), Usage()),
    Answer("stream", SSE, events(DELTA, {"usage": None}, {"usage": OPENAI}), found(24, 3, 8)),
    Answer("carriage returns", SSE, events({"usage": OPENAI}, end="\r\n\r\n"), found(24, 3, 8)),
    Answer("no end", SSE, events(DELTA, {"usage": OPENAI}, done=False).rstrip(), found(24, 3, 8)),
    Answer("no space", SSE, b'data:{"usage":{"input_tokens":3}}\n\n', found(3, 0)),
    Answer("comments", SSE, events(': {"usage":{"input_tokens":3}}', 'x: {"usage":{}}'), Usage()),
    Answer(
        "zero does not overwrite",
        SSE,
        events({"usage": OPENAI}, {"usage": {"prompt_tokens": 0, "completion_tokens": 4}}),
        found(24, 4, 8),
    ),
    Answer("last timings", SSE, events({"timings": OPENAI}, {"timings": TIMINGS}), TIMED),
    Answer(
        "Anthropic",
        SSE,
        events(
            "event: message_start",
            {
                "type": "message_start",
                "message": {"usage": {"cache_read_input_tokens": 23, "input_tokens": 1}},
            },
            {"type": "message_delta", "usage": {"output_tokens": 3}},
            done=False,
        ),
        found(1, 3, 23, apart_tokens=23),
        "/v1/messages",
    ),
    Answer(
        "Responses",
        SSE,
        events(
            {"response": {"usage": None}},
            {
                "response": {
                    "output": [{"usage": {"input_tokens": 99}}],
                    "usage": {
                        "input_tokens": 24,
                        "output_tokens": 3,
                        "input_tokens_details": {"cached_tokens": 0},
                    },
                }
            },
            done=False,
        ),
        found(24, 3, 0),
        "/v1/responses",
    ),
    Answer(
        "Responses with a large last event",
        SSE,
        events(
            DELTA,
            {
                "response": {
                    "output": [{"text": LARGE, "usage": {"input_tokens": 99}}],
                    "metadata": {"usage": {"input_tokens": 99}},
                    "usage": {"input_tokens": 24, "output_tokens": 3},
                }
            },
            DELTA,
        ),
        found(24, 3),
        "/v1/responses",
    ),
    Answer(
        "a large line of no event",
        SSE,
        f"x{LARGE}\n".encode() + events({"usage": OPENAI}),
        found(24, 3, 8),
    ),
    Answer(
        "reasoning and a written cache, OpenRouter",
        JSON,
        b'{"usage":{"prompt_tokens":50,"completion_tokens":9,"prompt_tokens_details":'
        b'{"cached_tokens":8,"cache_write_tokens":30},"completion_tokens_details":'
        b'{"reasoning_tokens":7}}}',
        found(50, 9, 8, reasoning_tokens=7, cache_write_tokens=30),
    ),
    Answer(
        "reasoning and a written cache, Anthropic",
        SSE,
        events(
            {
                "message": {
                    "usage": {
                        "input_tokens": 4,
                        "cache_creation_input_tokens": 30,
                        "cache_read_input_tokens": 8,
                        "output_tokens": 1,
                    }
                }
            },
            {"usage": {"output_tokens": 9}},
            done=False,
        ),
        found(4, 9, 8, cache_write_tokens=30, apart_tokens=38),
        "/v1/messages",
    ),
    Answer(
        "caches of two lifetimes",
        JSON,
        b'{"usage":{"input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":10,'
        b'"ephemeral_1h_input_tokens":20}}}',
        found(4, 0, cache_write_tokens=30, apart_tokens=30),
        "/v1/messages",
    ),
    Answer(
        "reasoning, Responses",
        JSON,
        b'{"usage":{"input_tokens":50,"output_tokens":9,"input_tokens_details":'
        b'{"cached_tokens":8,"cache_write_tokens":2},"output_tokens_details":'
        b'{"reasoning_tokens":7}}}',
        found(50, 9, 8, reasoning_tokens=7, cache_write_tokens=2),
        "/v1/responses",
    ),
    Answer(
        "a cache, DeepSeek",
        JSON,
        b'{"usage":{"prompt_tokens":50,"prompt_cache_hit_tokens":8,"prompt_tokens_details":null}}',
        found(50, 0, 8),
    ),
    Answer(
        "details that are none",
        JSON,
        b'{"usage":{"prompt_tokens":1,"prompt_tokens_details":"x","completion_tokens_details":[1],'
        b'"cache_creation":{"x":"y"}}}',
        found(1, 0),
    ),
    Answer(
        "a response that is text", SSE, events({"response": "x", "usage": OPENAI}), found(24, 3, 8)
    ),
]
