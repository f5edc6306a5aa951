"""Durations are Go's; sizes say whether a kilo is 1000 or 1024."""

from __future__ import annotations

import pytest

from llmstack.config.swap_units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5), (".5s", 0.5), ("0", 0), ("-2s", -2)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5d", "five", "1m30", "1e3s", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("24GiB", 24 << 30),
        ("24GB", 24_000_000_000),
        (" 4.5 gib ", 4_831_838_208),
        ("1TiB", 1 << 40),
        ("2000000B", 2_000_000),
        ("0B", 0),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "24", "24G", "24 Gi", "GB", "-1GB", "1e3GB", "10KB", "٣GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|too little"):
        parse_size(text)
