"""The chunk of tokens is taken out of a stream, and nothing else however it is cut."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects.translation.reply import Usage
from llmstack.dialects.usage_filter import UsageFilter

DELTA = b'data: {"choices":[{"delta":{"content":"\\"usage\\" \xc3\xa9"}}],"usage":null}\n\n'
LAST = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
COUNT = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
AZURE = b'data: {"choices":[],"prompt_filter_results":[]}\n\n'
ODD = b': "usage"\n\nevent: x\ndata: {"usage"\n\ndata:{"choices":[],"usage":3}\n\n'


def told(pieces: list[bytes], *, keep: bool = False) -> tuple[bytes, UsageFilter]:
    """What comes out of a filter that gets these pieces."""
    reader = UsageFilter(keep=keep)
    return b"".join([*map(reader.feed, pieces), reader.end()]), reader


@given(
    st.lists(st.sampled_from([DELTA, LAST, COUNT, DONE, AZURE, ODD])),
    st.lists(st.integers(0, 600)),
    st.booleans(),
    st.booleans(),
)
def test_only_the_count_is_missing_wherever_the_stream_is_cut(
    parts: list[bytes], cuts: list[int], crlf: bool, keep: bool
) -> None:
    whole, wanted = b"".join(parts), b"".join(p for p in parts if keep or p != COUNT)
    if crlf:
        whole, wanted = whole.replace(b"\n", b"\r\n"), wanted.replace(b"\n", b"\r\n")
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    out, reader = told([whole[a:b] for a, b in pairwise(places)], keep=keep)
    assert out == wanted
    counts = [part for part in parts if part in (LAST, COUNT)]
    expected = None
    if counts:
        expected = Usage(3, 2) if counts[-1] == COUNT else Usage(1, 1)
    assert reader.usage == expected


def test_whole_lines_are_never_held_back() -> None:
    reader = UsageFilter()
    assert reader.feed(DELTA + b"data: {") == DELTA
    assert reader.feed(b"}") == b""
    assert reader.feed(b"\n") == b"data: {}\n"


@pytest.mark.parametrize("size", [70_000, 200_000])
def test_a_line_without_end_passes_and_is_not_kept(size: int) -> None:
    line = b'data: {"choices":[],"usage":{"prompt_tokens":1},"x":"' + b"x" * size + b'"}\n\n'
    reader = UsageFilter()
    out = b""
    for at in range(0, len(line), 1000):
        out += reader.feed(line[at : at + 1000])
        assert len(reader._line) <= 66_000
    assert out + reader.feed(COUNT) + reader.end() == line


def test_an_error_in_the_stream_is_noticed_and_passes() -> None:
    error = b'data: {"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"no"}}\n\n'
    out, reader = told([error])
    assert out == error
    assert reader.problem == "no"
    assert json.loads(error[6:])
