"""Server-sent events, however their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects import sse
from llmstack.dialects.sse import EventReader, EventTooLarge

LINES = st.lists(st.binary(max_size=8).filter(lambda line: not set(line) & set(b"\r\n")))
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def read(*chunks: bytes) -> list[bytes]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata:two\n\n", [b"one", b"two"]),
        (b"data: one\r\n\r\ndata: two\r\r", [b"one", b"two"]),
        (b": ping\n\nevent: x\nid: 3\ndata: one\n\n", [b"one"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:  spaced \n\n", [b" spaced "]),
        (b"data: without an end", [b"without an end"]),
        (b"database: no\n\n\n\n", []),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_has_it(stream: bytes, events: list[bytes]) -> None:
    assert read(stream) == events


@given(LINES, ENDS, st.lists(st.integers(0, 60)))
def test_it_does_not_matter_where_the_bytes_are_cut(
    lines: list[bytes], end: bytes, places: list[int]
) -> None:
    stream = b"".join(b"data: " + line + end + end for line in lines)
    cuts = sorted({min(place, len(stream)) for place in places})
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*chunks) == read(stream) == lines
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == lines


def test_an_event_leaves_with_the_byte_that_completes_it() -> None:
    reader = EventReader()
    assert reader.feed(b"data: one\n") == []
    assert reader.feed(b"\n") == [b"one"]


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_LIMIT", 100)
    reader = EventReader()
    for _ in range(10):
        assert reader.feed(b"data: " + b"x" * 80 + b"\n\n")  # many events are no large one
    reader.feed(b"data: " + b"x" * 80 + b"\n")
    with pytest.raises(EventTooLarge):
        reader.feed(b"data: " + b"x" * 80 + b"\n")
