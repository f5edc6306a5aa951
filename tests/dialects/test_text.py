"""What a harness writes into a user's message is not the user's."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects import without_blocks
from llmstack.dialects.text import spoken, unquoted

REMINDER = "<system-reminder>\nplan and edit\n</system-reminder>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hello", "hello"),
        (f"hello\n{REMINDER}", "hello\n"),
        (f"{REMINDER}\nhello", "\nhello"),
        (f"{REMINDER}{REMINDER}hello", "hello"),
        (REMINDER, None),
        (f"  \n{REMINDER}\n ", None),
        ("what is <system-reminder> for?", "what is <system-reminder> for?"),
        ("<system-reminder> is never closed", "<system-reminder> is never closed"),
        ("<environment_context>x</environment_context>", None),
        ("<environment_details>x</environment_details>\nhi", "\nhi"),
        ('<ide_selection path="a">x</ide_selection>\nhi', "\nhi"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("", ""),
        ([], None),
        ([{"type": "text", "text": REMINDER}], None),
        ([{"type": "text", "text": "hi"}, {"type": "text", "text": REMINDER}], "hi\n"),
        ([{"type": "tool_result", "content": "x"}], None),
        ([{"type": "tool_result", "content": "x"}, {"type": "text", "text": REMINDER}], None),
        ([{"type": "image_url"}], ""),
        ([{"type": "image_url"}, {"type": "text", "text": REMINDER}], ""),
    ],
)
def test_what_the_user_said_in_a_message(content: object, said: str | None) -> None:
    assert spoken(content) == said


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('"and then what?"', "and then what?"),
        ('  "hi"\n', "hi"),
        (r'"say \"hi\" twice"', 'say "hi" twice'),
        ('"a" and "b"', '"a" and "b"'),
        ('say "hi"', 'say "hi"'),
        ('"', '"'),
        ('""', ""),
        ("", ""),
        ('"ends in a backslash\\"', '"ends in a backslash\\"'),
    ],
)
def test_only_quotes_around_the_whole_text_are_taken_off(text: str, plain: str) -> None:
    assert unquoted(text) == plain


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<a>", "</a>", "<b>", "</b>", "\n", "x", " "]), max_size=30))
def test_blocks_are_only_ever_taken_out(pieces: list[str]) -> None:
    text = "".join(pieces)
    kept = iter(text)
    assert all(character in kept for character in without_blocks(text, ("a", "b")))


@pytest.mark.parametrize("piece", ["<a>\n", "<a>\n</b>\n", "<a", "<a x", "</a>"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = piece * 200_000
    begin = time.perf_counter()
    assert without_blocks(text, ("a", "b")) == text
    assert time.perf_counter() - begin < 2
