"""The line reader of INI files."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.ini import Document, read_ini

LINES = st.sampled_from(
    [
        "",
        " ",
        "[DEFAULT]",
        "[one]",
        "[two]",
        "  [three]",
        "a = 1",
        "A : 2",
        "b=x ; comment",
        "b = x;y",
        "c =",
        "d = p=q",
        "  continued",
        "\tcontinued ; cut",
        "    deeper = value",
        "; comment",
        "  # comment",
        "e = 1 # stays",
        "key with blanks  = v",
    ]
)
TEXTS = st.lists(LINES, max_size=12).map("\n".join)


def values(document: Document) -> dict[str, dict[str, str]]:
    return {
        section.name: {key: entry.value for key, entry in section.entries.items()}
        for section in (document.defaults, *document.sections)
    }


@given(TEXTS)
def test_an_accepted_text_means_what_configparser_says(text: str) -> None:
    """Where this reader has no complaint, configparser reads the same sections and values."""
    document = read_ini(text, "x.ini")
    if document.problems:
        return
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=True)
    parser.read_string(text)
    own = {name: dict(parser._sections[name]) for name in parser.sections()}  # type: ignore[attr-defined]
    assert values(document) == {"DEFAULT": dict(parser.defaults()), **own}


@given(TEXTS)
def test_what_configparser_refuses_is_a_problem(text: str) -> None:
    """Everything that makes configparser raise is reported with a line of the text."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        problems = read_ini(text, "x.ini").problems
        assert problems
        assert all(1 <= (problem.line or 0) <= text.count("\n") + 1 for problem in problems)


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    """Any text is read, and every problem names a line."""
    for problem in read_ini(text, "x.ini").problems:
        assert problem.line is not None
        assert problem.message.endswith(".")


@given(TEXTS)
def test_every_value_knows_its_line(text: str) -> None:
    """The line of an entry is the line on which its key stands."""
    lines = text.split("\n")
    for section in read_ini(text, "x.ini").sections:
        for entry in section.entries.values():
            assert lines[entry.line - 1].strip().lower().startswith(entry.key)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[a]\nx = 1\n[a]\n", 3, "Section [a] is already on line 1."),
        ("[DEFAULT]\n[DEFAULT]\n", 2, "Section [DEFAULT] is already on line 1."),
        ("[a]\nx = 1\nX = 2\n", 3, "[a] x is already set on line 2."),
        ("\ufeff[a]\nx = 1\n", 1, "The file starts with a byte order mark."),
        ("[a]\nrubbish\n", 2, "neither a [section], nor key = value"),
        ("[a]\n= 5\n", 2, "neither a [section], nor key = value"),
        ("x = 1\n[a]\n", 1, "before the first [section]"),
        ("[a\nx = 1\n", 1, "not a section header"),
        ("[a] rest\n", 1, "not a section header"),
        ("[a]\nx = 1\x1b[31m\n", 2, "control character"),
    ],
)
def test_a_fault_is_one_problem_at_its_line(text: str, line: int, message: str) -> None:
    """Each kind of fault is one problem with its line, and a way out."""
    (problem,) = read_ini(text, "x.ini").problems
    assert problem.line == line
    assert message in problem.message
    assert problem.fix


def test_all_problems_are_found_at_once() -> None:
    """A fault does not hide those after it."""
    text = "\ufeffx = 1\n[a]\nrubbish\n[b]\ny=1\ny=2\n[a]\ny=3\n"
    assert [problem.line for problem in read_ini(text, "x.ini").problems] == [1, 1, 3, 6, 7]


def test_values_after_a_fault_do_not_land_elsewhere() -> None:
    """The lines of a doubled section are not read into the first one."""
    document = read_ini("[a]\nx = 1\n[a]\nz = 2\n", "x.ini")
    assert values(document) == {"DEFAULT": {}, "a": {"x": "1"}}


def test_line_ends_of_every_system_are_understood() -> None:
    """CRLF, CR and LF end a line."""
    assert values(read_ini("[a]\r\nx = 1\ry = 2\n", "x.ini"))["a"] == {"x": "1", "y": "2"}
