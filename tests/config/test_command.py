"""Commands are split by POSIX quoting rules and never see a shell."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.command import split_command, strip_comments


@pytest.mark.top40(5, "backslash newlines")
@pytest.mark.top40(5, "POSIX splitting")
@pytest.mark.top40(5, "no shell")
@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("llama-server --port 1", ("llama-server", "--port", "1")),
        ("server \\\n  -m a.gguf \\  \n  -c 4096\n", ("server", "-m", "a.gguf", "-c", "4096")),
        ("server\n-m a.gguf", ("server", "-m", "a.gguf")),
        ("server\n  # -m old.gguf\n-m new.gguf", ("server", "-m", "new.gguf")),
        ("server --tag a#b # c", ("server", "--tag", "a#b", "#", "c")),
        ('server -m \'a b.gguf\' "c \\"d\\""', ("server", "-m", "a b.gguf", 'c "d"')),
        ("server a\\ b ''", ("server", "a b", "")),
        (
            "server $HOME *.gguf `id` && x | y",
            ("server", "$HOME", "*.gguf", "`id`", "&&", "x", "|", "y"),
        ),
        ("server -m a\r\n-c 1\r\n", ("server", "-m", "a", "-c", "1")),
    ],
)
def test_splitting(text: str, arguments: tuple[str, ...]) -> None:
    """Each row is one rule."""
    assert split_command(text) == arguments


@pytest.mark.parametrize("text", ["", "  \n", "# only\n  # comments\n", "\\\n"])
def test_nothing_to_run_is_an_empty_command(text: str) -> None:
    with pytest.raises(ValueError, match=r"^empty command$"):
        split_command(text)


def test_an_open_quote_is_named() -> None:
    with pytest.raises(ValueError, match="no closing quotation"):
        split_command("server -m 'a")


def test_comment_lines_vanish_and_other_lines_stay() -> None:
    assert strip_comments("a\n # ${x}\nb # c") == "a\nb # c"


@given(st.lists(st.text(st.characters(exclude_characters="\n\r\\#"), min_size=1), min_size=1))
def test_quoted_arguments_come_back_unchanged(arguments: list[str]) -> None:
    assert split_command(shlex.join(arguments)) == tuple(arguments)
