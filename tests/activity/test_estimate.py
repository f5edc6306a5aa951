"""What a model writes is counted roughly, in every API and however it is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.estimate import TextLength
from tests.activity.answers import events

WORDS = "some words"


def length(*pieces: bytes) -> int:
    text = TextLength()
    for piece in pieces:
        text.feed(piece)
    return text.length


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"role": "assistant", "content": WORDS}}]},
        {"choices": [{"delta": {"content": WORDS}}]},
        {"choices": [{"delta": {"content": None, "reasoning_content": WORDS}}]},
        {"choices": [{"text": WORDS}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": WORDS}}]}}]},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": WORDS}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": WORDS}},
        {"delta": {"type": "input_json_delta", "partial_json": WORDS}},
        {"type": "response.output_text.delta", "delta": WORDS, "item_id": "x" * 50},
    ],
)
def test_words_thoughts_and_arguments_count_and_nothing_else(body: object) -> None:
    assert length(json.dumps(body).encode()) == len(WORDS)
    assert length(events(body, body)) == 2 * len(WORDS)


def test_tokens_are_a_quarter_of_the_bytes_rounded_up() -> None:
    text = TextLength()
    assert text.tokens == 0
    text.feed(b'{"text":"12345"}')
    assert text.tokens == 2


def test_json_within_a_text_is_text() -> None:
    inner = json.dumps({"content": "x", "text": 'say "text":"y"'})
    body = json.dumps({"arguments": inner})
    assert length(body.encode()) == len(json.dumps(inner)) - 2


@given(st.text(), st.data())
def test_a_text_that_is_cut_counts_all_the_same(said: str, data: st.DataObject) -> None:
    body = json.dumps({"content": said}).encode()
    start = body.index(b': "') + 3
    cut = data.draw(st.integers(start, len(body)))
    # A cut within an escape may be miscounted, not more.
    if not body[:cut].endswith(b"\\"):
        assert length(body[:cut], body[cut:]) == len(body) - start - 2


def test_a_long_text_in_pieces_is_counted_in_linear_time() -> None:
    piece = b'\\"' * 32_000
    assert length(b'{"content":"', *[piece] * 100, b'"}') == 100 * len(piece)
