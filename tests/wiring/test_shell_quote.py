"""Quoted words reach each shell as they were; read by the real shells where those are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmstack.wiring.shell_quote import SHELLS, quote
from tests.wiring.test_shell_hostile import NAMES

if TYPE_CHECKING:
    from llmstack.wiring.shell_quote import Shell

posix_shell = pytest.mark.parametrize(
    "shell",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is missing")
        )
        for name in ("bash", "zsh", "fish")
    ],
)

#: File names: any text, and bytes that are no text.
names = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.binary().map(lambda data: os.fsdecode(data.replace(b"\0", b"?"))),
    st.text("$`'\"\\!(){}[]<>;&|*?~#% \t\n\r\x1b\u2019ab0"),
)


def read_back(shell: str, words: list[str], **environ: str) -> list[str]:
    """The words as ``shell`` understands them."""
    code = "printf '%s\\0' " + " ".join(words)
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, **environ},
        check=True,
    )
    return [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]


@posix_shell
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(names, min_size=1, max_size=60))
def test_a_word_comes_through_as_it_is(shell: Shell, texts: list[str]) -> None:
    assert read_back(shell, [quote(shell, text) for text in texts]) == texts


@posix_shell
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_hostile_names_come_through_in_any_locale(shell: Shell, locale: str) -> None:
    texts = ["", *NAMES]
    assert read_back(shell, [quote(shell, text) for text in texts], LC_ALL=locale) == texts


@pytest.mark.parametrize("shell", SHELLS)
@given(text=names)
def test_a_word_is_ascii_on_one_line(shell: Shell, text: str) -> None:
    """No code page, locale or terminal can turn it into something else."""
    word = quote(shell, text)
    assert word.isascii()
    assert word.isprintable()
    assert not {"`", '"'} & set(word)
    assert "$(" not in word
    assert "!" not in word, "a history reference"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_nul_is_refused(shell: Shell) -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote(shell, "a\0b")


@given(st.one_of(names, st.sampled_from(NAMES)))
def test_a_powershell_word_is_a_sum_of_plain_texts_and_numbers(text: str) -> None:
    """PowerShell takes four other characters for a single quote, so none is written as itself."""
    word = quote("powershell", text)
    plain, number = r"'[A-Za-z0-9_./:=@,+ -]*'", r"\[char\]0x[0-9a-f]{4}"
    assert re.fullmatch(rf"\({plain}(\+({plain}|{number}))*\)", word)
    units = b""
    for part in re.findall(rf"{plain}|{number}", word):
        if part.startswith("'"):
            units += part[1:-1].encode("utf-16-le")
        else:
            units += int(part.rpartition("0x")[2], 16).to_bytes(2, "little")
    assert units.decode("utf-16-le", "surrogatepass") == text
