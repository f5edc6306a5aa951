"""What is shown of a project's name is harmless in every prompt and on every terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.marker import Marker
from llmstack.wiring.shell_prompt import (
    display,
    has_unicode,
    label,
    prefix,
    printable,
    printable_text,
    wants_colour,
    without_controls,
)

CURRENT = Marker("current")
REMOTE = Marker("external", "http://box:10101")


@given(st.text())
def test_nothing_with_a_meaning_is_shown(name: str) -> None:
    """W31. Signs of prompts and shells, control characters, signs that turn the text around."""
    shown = display(name)
    assert not set(shown) & set("$`\\%!'\"{}()[]<>;&|*~#^\n\r\t\x1b\x7f")
    assert all(letter.isalnum() or letter in "._+-@,= ?" for letter in shown)
    assert len(shown) <= 40


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("proj", "proj"),
        ("my-proj_2.0 +x", "my-proj_2.0 +x"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u4e16\u754c", "\u4e16\u754c"),
        ("$(id)", "??id?"),
        ("a\u202eb", "a?b"),
        ("\x1b]0;t\x07", "??0?t?"),
        ("x" * 50, "x" * 19 + ".." + "x" * 19),
    ],
)
def test_a_name_is_shown_as_far_as_it_is_safe(name: str, shown: str) -> None:
    assert display(name) == shown


def test_the_label_names_the_project_and_the_other_machine() -> None:
    """Checklist A 7."""
    assert label("proj", CURRENT) == "[llmstack:proj]"
    assert label("proj", REMOTE) == "[llmstack:proj http://box:10101]"


@pytest.mark.parametrize(
    ("marker", "number"), [(CURRENT, 38), (Marker("next"), 208), (REMOTE, 135)]
)
def test_the_channel_has_a_colour(marker: Marker, number: int) -> None:
    """Checklist A 7. The colour does not count as width, so bash and zsh are told so."""
    text = label("p", marker)
    assert prefix("bash", "p", marker, colour=True) == rf"\[\e[38;5;{number}m\]{text}\[\e[0m\] "
    assert prefix("zsh", "p", marker, colour=True) == f"%F{{{number}}}{text}%f "
    for shell in ("fish", "powershell"):
        shown = prefix(shell, "p", marker, colour=True)  # type: ignore[arg-type]
        assert shown == f"\x1b[38;5;{number}m{text}\x1b[0m "
        assert prefix(shell, "p", marker, colour=False) == f"{text} "  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({}, True),
    ],
)
def test_colour_is_for_those_who_want_it(environ: dict[str, str], expected: bool) -> None:
    assert wants_colour(environ) is expected


@given(st.text())
def test_a_message_has_nothing_that_a_terminal_acts_on(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_a_name_that_is_no_text_can_be_printed() -> None:
    assert printable("a\udcff\x1b\u202e") == "a\\udcff\\x1b\\u202e"


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"LANG": "de_DE.UTF-8"}, "linux", True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "linux", False),
        ({"LC_CTYPE": "C.utf8", "LANG": "C"}, "linux", True),
        ({"LANG": "de_DE.ISO-8859-1"}, "linux", False),
        ({}, "linux", False),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_letters_are_shown_where_the_terminal_reads_them(
    environ: dict[str, str], platform: str, expected: bool
) -> None:
    """As single bytes, the letter s with an accent ends in what begins an escape sequence."""
    assert has_unicode(environ, platform) is expected


def test_text_of_others_moves_nothing_on_the_terminal() -> None:
    """Escapes could rewrite what stands there, or set the clipboard."""
    hostile = "a\tb\n\x1b]52;c;aGk=\x07\x9b2J\u202ec\r"
    assert printable_text(hostile) == "a\tb\n\\x1b]52;c;aGk=\\x07\\x9b2J\\u202ec\\r"
    family = "\U0001f468\u200d\U0001f469 \x1b[31mred\x1b[0m"
    assert without_controls(family) == family
    assert without_controls("\x1b[2J\x1b]0;x\x07\n") == "\\x1b[2J\\x1b]0;x\\x07\n"
