"""Which files a stack needs from the hub."""

from __future__ import annotations

from llmstack.config import parse_stack
from llmstack.server.wanted import wanted_files


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
