"""Channel markers: what is not exactly one is none, and a stale one is not believed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.marker import (
    Marker,
    choose_marker,
    effective_marker,
    parse_marker,
    read_marker,
    write_marker,
)
from llmstack.config.workdir import WorkDir

if TYPE_CHECKING:
    from pathlib import Path

REMOTE = Marker("external", "http://10.0.0.7:10101")
CURRENT, NEXT = Marker("current"), Marker("next")


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("current\n", CURRENT),
        ("next", NEXT),
        ("current\r\n", CURRENT),
        ("external http://10.0.0.7:10101\n", REMOTE),
        ("external https://box.local/stack", Marker("external", "https://box.local/stack")),
        ("external http://[fe80::1]:10101", Marker("external", "http://[fe80::1]:10101")),
    ],
)
def test_a_marker_is_one_line(text: str, marker: Marker) -> None:
    assert parse_marker(text) == marker


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "Current",
        " current",
        "current\n\n",
        "current\nnext",
        "current http://box",
        "external",
        "external ",
        "external ftp://box",
        "external file:///etc/passwd",
        "external http://",
        "external http://user:secret@box",
        "external  http://box",
        "external http://box next",
        "external http://$(touch pwned)",
        "external http://box/$(touch pwned)",
        "external http://box/`id`",
        "external http://box/${HOME}",
        "external http://box/%F{red}",
        "external http://box/a'b",
        'external http://box/"',
        "external http://box/!!",
        "external http://box/\\u@",
        "external http://box/\x1b]0;title\x07",
        "external http://b\u202eox",
        "external http://box:999999",
    ],
)
def test_anything_else_is_no_marker(text: str) -> None:
    """W31: a marker with a command in its URL ran on entering the directory."""
    assert parse_marker(text) is None


@given(st.text())
def test_no_text_yields_a_url_with_a_meaning_to_a_shell(text: str) -> None:
    for line in (text, f"external http://box/{text}", f"external {text}"):
        marker = parse_marker(line)
        if marker:
            assert parse_marker(marker.line()) == marker
            assert not set(marker.url) & set("$`\\\"'%!;&|<>(){} \t\r\n\x1b")
            assert marker.url.isascii()


def test_a_marker_that_could_not_be_read_back_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no channel marker"):
        Marker("external", "http://box/$(id)")
    with pytest.raises(ValueError, match="no channel marker"):
        Marker("current", "http://box")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".llmstack" / "default-channel"
    write_marker(path, REMOTE)
    assert path.read_bytes() == b"external http://10.0.0.7:10101\n"
    assert read_marker(path) == REMOTE


def test_what_is_no_file_or_no_text_is_no_marker(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    assert read_marker(path) is None
    assert read_marker(tmp_path) is None
    path.write_bytes(b"current\xff")
    assert read_marker(path) is None
    path.write_bytes(b"current" + b"\n" * 10_000)
    assert read_marker(path) is None
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        assert read_marker(tmp_path / "pipe") is None, "a pipe is not waited for"


@pytest.mark.parametrize(
    ("active", "default", "lives", "expected"),
    [
        (None, None, False, CURRENT),
        (None, NEXT, False, NEXT),
        (NEXT, CURRENT, True, NEXT),
        (CURRENT, NEXT, True, CURRENT),
        (NEXT, CURRENT, False, CURRENT),
        (NEXT, None, False, CURRENT),
        (REMOTE, CURRENT, True, CURRENT),
        (REMOTE, CURRENT, False, CURRENT),
        (REMOTE, None, False, CURRENT),
        (CURRENT, REMOTE, True, REMOTE),
        (Marker("external", "http://elsewhere"), REMOTE, False, REMOTE),
    ],
)
def test_a_stale_marker_is_not_believed(
    active: Marker | None, default: Marker | None, lives: bool, expected: Marker
) -> None:
    """W20: a stale active-channel made status claim an external stack."""
    assert choose_marker(active, default, daemon_lives=lives) == expected


def test_the_files_of_a_work_directory_decide(tmp_path: Path) -> None:
    work = WorkDir(tmp_path)
    assert effective_marker(work) == CURRENT
    write_marker(work.default_channel, CURRENT)
    write_marker(work.active_channel, NEXT)
    assert effective_marker(work, daemon_lives=True) == NEXT
    assert effective_marker(work) == CURRENT
