"""The words of a command with what stands between them, and those that llama-server gets. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SERVER = re.compile(r"(?:^|[/\\])llama-server[^/\\]*$")
_MODULE = "llmstack.llama_server"
_IMAGE = re.compile(r"(?:^|/)llama\.cpp:(?:server|full|light)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_CONTAINERS = frozenset({"docker", "podman", "nerdctl"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash", "ksh"})
_SHELL_SCRIPT = re.compile(r"-[a-z]*c")
_QUOTED = r"'[^']*'|\"(?:[^\"\\]|\\.)*\""
_WORD = re.compile(rf"(?:[^ \t\r\n'\"\\]|\\.|{_QUOTED})+", re.DOTALL)
#: A shell's word ends at its operators too, and a line may go on after a backslash.
_SHELL_WORD = re.compile(rf"(?:[^ \t\r\n'\"\\;&|<>()]|\\[^\n]|{_QUOTED})+", re.DOTALL)
_SHELL_BLANKS = re.compile(r"(?:[ \t]|\\\n)+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word: what stands before it, how it is written, and what it means."""

    gap: str
    raw: str
    text: str


@dataclass(frozen=True, slots=True)
class Script:
    """A command whose server gets ``words``, with the texts ``before`` and ``after`` them.

    ``known`` says that the server was recognised, ``nested`` that it stands in a script of a
    shell, which is one word of the command; ``outside`` is then the command around that word.
    """

    before: str
    words: tuple[Word, ...]
    after: str
    known: bool
    outside: tuple[str, str] | None = None

    @property
    def nested(self) -> bool:
        """Whether it stands in a script."""
        return self.outside is not None

    def with_words(self, words: Sequence[Word]) -> str:
        """The command with other words for the server."""
        text = self.before + "".join(word.gap + word.raw for word in words) + self.after
        if self.outside is None:
            return text
        before, after = self.outside
        return before + shlex.quote(text) + after


def server_words(cmd: str) -> Script:
    """``cmd``, without comments and with its lines joined, seen as a server's words.

    Of a program that is not known those are all its words.

    Raises:
        ValueError: a quote is not closed, or there is no program.
    """
    words, rest = _split(cmd)
    if not words:
        raise ValueError("it is empty")
    if (script := _in_shell(words, rest)) is not None:
        return script
    start = _start(words)
    known = start is not None
    return _cut(words, rest, 1 if start is None else start, known=known)


def _start(words: Sequence[Word]) -> int | None:
    """The index of the first word that the server gets."""
    if _base(words[0].text) in _CONTAINERS:
        images = (index for index, word in enumerate(words) if _IMAGE.search(word.text))
        if (image := next(images, None)) is not None:
            return image + 1
    for index, word in enumerate(words):
        if _is_server(word.text):
            return index + 1
    return None


def _is_server(text: str) -> bool:
    if text == _MODULE:
        return True
    named = _SERVER.search(text) and not text.endswith(".gguf")
    return bool(named) and _ASSIGNMENT.match(text) is None


def _in_shell(words: Sequence[Word], rest: str) -> Script | None:
    """The server in the script of ``sh -c SCRIPT``."""
    for index in range(2, len(words)):
        if _is_server(words[index - 1].text):
            return None
        shells = any(_base(word.text) in _SHELLS for word in words[: index - 1])
        if not shells or _SHELL_SCRIPT.fullmatch(words[index - 1].text) is None:
            continue
        found = _of_script(words[index].text)
        if found is not None:
            before = _text(words[:index]) + words[index].gap
            after = _text(words[index + 1 :]) + rest
            return Script(found.before, found.words, found.after, True, (before, after))
    return None


def _of_script(script: str) -> Script | None:
    words: list[Word] = []
    at = start = 0
    for match in _SHELL_WORD.finditer(script):
        gap = script[at : match.start()]
        if start and gap and _SHELL_BLANKS.fullmatch(gap) is None:
            break  # another command, or a redirection
        words.append(Word(gap, match[0], _meaning(match[0])))
        at = match.end()
        if not start and _is_server(words[-1].text):
            start = len(words)
    if not start:
        return None
    return _cut(words, script[at:], start, known=True)


def _cut(words: Sequence[Word], rest: str, start: int, *, known: bool) -> Script:
    return Script(_text(words[:start]), tuple(words[start:]), rest, known)


def _split(cmd: str) -> tuple[list[Word], str]:
    words = []
    at = 0
    for match in _WORD.finditer(cmd):
        gap = cmd[at : match.start()]
        if gap.strip(" \t\r\n"):
            break
        words.append(Word(gap, match[0], _meaning(match[0])))
        at = match.end()
    rest = cmd[at:]
    if rest.strip(" \t\r\n"):
        raise ValueError("a quote in it is not closed")
    return words, rest


def _meaning(raw: str) -> str:
    """The word without its quotes; in a script that expands something, what stands there."""
    try:
        parts = shlex.split(raw, posix=True)
    except ValueError:
        return raw
    return parts[0] if parts else ""


def _text(words: Sequence[Word]) -> str:
    return "".join(word.gap + word.raw for word in words)


def _base(text: str) -> str:
    return re.split(r"[/\\]", text)[-1]
