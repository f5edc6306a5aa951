"""Which files a stack needs from the hub."""

from __future__ import annotations

from llmstack.config import parse_stack
from llmstack.server.wanted import served_files, wanted_files


def test_each_file_is_wanted_once_whoever_needs_it() -> None:
    """Both channels are fetched; local files and shared ones are not fetched twice."""
    stack = parse_stack(
        "[a]\nhf_repo = o/r\nhf_file = x.gguf\nhf_file_next = y.gguf\n"
        "[b]\nhf_repo = o/r\nhf_file = x.gguf\n[c]\npath = z.gguf\n",
        "models.ini",
    ).stack
    assert [(one.file.name, one.labels) for one in wanted_files(stack)] == [
        ("x.gguf", ("a", "b")),
        ("y.gguf", ("a next",)),
    ]


def test_a_channel_serves_one_file_for_each_tier() -> None:
    """start looks whether those are here."""
    stack = parse_stack(
        "[a]\nhf_repo = o/r\nhf_file = x.gguf\nhf_file_next = y.gguf\n[c]\npath = z.gguf\n",
        "models.ini",
    ).stack
    assert [(tier, file.name) for tier, file in served_files(stack, "current")] == [("a", "x.gguf")]
    assert [file.name for _, file in served_files(stack, "next")] == ["y.gguf"]
