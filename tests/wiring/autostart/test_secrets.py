"""The file of variables: read as systemd reads it, and only if nobody else can."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.errors import LlmstackError
from llmstack.wiring.autostart.secrets import parse_secrets, read_secrets

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")


def test_lines_comments_and_quotes() -> None:
    text = "# a\n; b\n\nA=1\n B = two words \nC='x y'\nD=\"q\"\nE=a=b\nF=\n"
    found = parse_secrets(text)
    assert found == {"A": "1", "B": "two words", "C": "x y", "D": "q", "E": "a=b", "F": ""}


@given(st.from_regex(r"[A-Za-z0-9_+/=.-]{1,60}", fullmatch=True))
def test_keys_are_read_as_they_are(key: str) -> None:
    assert parse_secrets(f"KEY={key}\n") == {"KEY": key}


def test_a_wrong_line_is_named_and_not_shown() -> None:
    with pytest.raises(LlmstackError, match=r":2 is no NAME=value") as told:
        parse_secrets("A=1\nsk-secret\n")
    assert "sk-secret" not in str(told.value)


def test_no_file_is_no_variables(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "none") == {}


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_what_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "x.env"
    file.write_text("A=1\n")
    file.chmod(mode)
    with pytest.raises(LlmstackError, match="chmod 600"):
        read_secrets(file)
    file.chmod(0o600)
    assert read_secrets(file) == {"A": "1"}


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.env", 0o600)
    with pytest.raises(OSError, match="plain file"):
        read_secrets(tmp_path / "x.env")
