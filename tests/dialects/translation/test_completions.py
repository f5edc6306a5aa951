"""Plain completions: one text in, one text out."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.completions_reply import CompletionsStream, whole
from llmstack.dialects.translation.completions_request import read_completions
from llmstack.dialects.translation.conversation import Conversation, Sampling, Text, Turn
from llmstack.dialects.translation.reply import (
    Event,
    Failed,
    Finished,
    Origin,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from llmstack.errors import BadRequest

ORIGIN = Origin("7", "m", 1_700_000_000)
EVENTS: list[Event] = [
    ThinkingDelta("hm"),
    TextDelta("a"),
    TextDelta("b"),
    Finished("length"),
    Usage(3, 2),
]


def ask(prompt: Any = "hi", **members: Any) -> Conversation:
    return read_completions(json.dumps({"model": "m", "prompt": prompt, **members}).encode())


@pytest.mark.parametrize("prompt", ["hi", ["hi"]])
def test_a_prompt_is_what_a_user_says(prompt: Any) -> None:
    told = ask(prompt, max_tokens=5, stop="x", stream=True, echo=True, logprobs=3)
    assert told.turns == (Turn("user", (Text("hi"),)),)
    assert told.sampling == Sampling(max_output=5, stop=("x",))
    assert told.stream
    assert told.dropped == ("echo", "logprobs")


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"prompt": ["a", "b"]}, "several prompts"),
        ({"prompt": [1, 2]}, "tokens"),
        ({"prompt": [[1, 2]]}, "tokens"),
        ({"prompt": [[1], [2]]}, "tokens"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"n": 2}, "n asks"),
        ({"best_of": 2}, "best_of asks"),
    ],
)
def test_a_refusal_says_what_to_write(members: dict[str, Any], what: str) -> None:
    with pytest.raises(BadRequest, match=what) as refusal:
        ask(**members)
    assert refusal.value.fix


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("x"), inner),
    max_leaves=6,
)
MEMBERS = st.sampled_from(["prompt", "suffix", "n", "best_of", "stop", "max_tokens", "model"])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(MEMBERS, VALUES))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(BadRequest):
        read_completions(json.dumps(body).encode())


def streamed(events: list[Event]) -> list[dict[str, Any]]:
    stream = CompletionsStream(ORIGIN, Conversation("m", (), stream=True, include_usage=True))
    told = stream.start() + b"".join(stream.take(event) for event in events) + stream.end()
    *lines, done, rest = told.split(b"\n\n")
    assert (done, rest, stream.end()) == (b"data: [DONE]", b"", b"")
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def test_openai_types_take_every_chunk_and_the_whole() -> None:
    types = pytest.importorskip("openai.types")
    *words, finish, usage = streamed(EVENTS)
    # The finish reason is null until the last chunk, which OpenAI's type does not foresee.
    types.Completion.model_validate(finish, strict=True)
    types.Completion.model_validate(usage, strict=True)
    told = types.Completion.model_validate_json(whole(ORIGIN, ask(), EVENTS), strict=True)
    assert told.choices[0].text == "".join(one["choices"][0]["text"] for one in words) == "ab"
    assert told.choices[0].finish_reason == finish["choices"][0]["finish_reason"] == "length"
    assert told.usage.model_dump(exclude_none=True)["total_tokens"] == 5
    assert usage["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize("last", [[], [Failed(502, "the answer broke off")]])
def test_an_answer_that_fails_ends_in_an_error(last: list[Event]) -> None:
    told = streamed([TextDelta("a"), *last])
    assert "broke off" in told[-1]["error"]["message"]
    assert "error" in json.loads(whole(ORIGIN, ask(), last))
