"""Read the lines of an INI file into sections whose every value knows its line.

The grammar is configparser's without interpolation: ``=`` or ``:`` between key and value,
full-line comments with ``;`` or ``#``, inline comments with ``;`` after a blank, continuation by
indentation, ``[DEFAULT]`` behind every section. configparser itself is not used because it stops
at the first problem of most kinds and forgets the line numbers; a differential test holds this
reader to it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from llmstack.config.problems import Problem

DEFAULT = "DEFAULT"

_NEWLINE = re.compile(r"\r\n|\r|\n")
_HEADER = re.compile(r"\[(?P<name>.+)\]")
_DELIMITER = re.compile("[=:]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: ``key`` in lower case, the lines of ``value`` joined by newlines."""

    section: str
    key: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One section with its own entries only; ``line`` is that of its header."""

    name: str
    line: int | None = None
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file: ``defaults`` is ``[DEFAULT]``, ``sections`` the others in file order."""

    source: str
    defaults: Section
    sections: tuple[Section, ...]
    problems: tuple[Problem, ...]


def read_ini(text: str, source: str) -> Document:
    """Read ``text``; what is wrong with it is in ``problems``, and nothing is raised."""
    reader = _Reader(source)
    if text.startswith("\ufeff"):
        reader.problem(
            1,
            "The file starts with a byte order mark.",
            "Save it as UTF-8 without a byte order mark.",
        )
        text = text[1:]
    for number, line in enumerate(_NEWLINE.split(text), start=1):
        reader.feed(number, line)
    return reader.document()


class _Reader:
    """The state between two lines. Lines that belong to nothing go to a scrap section."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.defaults = Section(DEFAULT)
        self.sections: dict[str, Section] = {}
        self.problems: list[Problem] = []
        self.current: Section | None = None
        self.default_line: int | None = None
        self.parts: list[str] | None = None
        self.values: list[tuple[Section, str, int, list[str]]] = []
        self.seen: dict[tuple[int, str], int] = {}
        self.indent = 0

    def problem(self, line: int, message: str, fix: str) -> None:
        self.problems.append(Problem(self.source, line, message, fix))

    def document(self) -> Document:
        for section, key, line, parts in self.values:
            value = "\n".join(parts).rstrip()
            section.entries[key] = Entry(section.name, key, value, line)
        return Document(
            self.source, self.defaults, tuple(self.sections.values()), tuple(self.problems)
        )

    def feed(self, number: int, line: str) -> None:
        content, commented = _without_comment(line)
        if not content:
            if not commented and self.parts is not None:
                self.parts.append("")
            return
        if _has_control(content):
            self.problem(number, "The line holds a control character.", "Remove it.")
            return
        indent = len(line) - len(line.lstrip())
        if self.parts is not None and indent > self.indent:
            self.parts.append(content)
            return
        self.indent = indent
        self.parts = None
        if content.startswith("["):
            self._header(number, content)
        else:
            self._option(number, content)

    def _header(self, number: int, content: str) -> None:
        match = _HEADER.fullmatch(content)
        self.current = Section("")
        if match is None:
            self.problem(number, "This is not a section header.", "Write [name] alone on the line.")
            return
        name = match["name"]
        first = self.default_line if name == DEFAULT else None
        if name in self.sections:
            first = self.sections[name].line
        if first is not None:
            self.problem(
                number,
                f"Section [{name}] is already on line {first}.",
                "Join the two sections, or rename one.",
            )
        elif name == DEFAULT:
            self.default_line = number
            self.current = self.defaults
        else:
            self.current = self.sections[name] = Section(name, number)

    def _option(self, number: int, content: str) -> None:
        match = _DELIMITER.search(content)
        key = content[: match.start()].rstrip().lower() if match else ""
        if match is None or not key:
            self.problem(
                number,
                "This line is neither a [section], nor key = value, nor a comment.",
                "Correct it, or put ; in front of it.",
            )
            return
        if self.current is None:
            self.problem(
                number,
                "This value stands before the first [section].",
                "Put [DEFAULT] above it if it is meant for all tiers.",
            )
            self.current = Section("")
        first = self.seen.setdefault((id(self.current), key), number)
        self.parts = [content[match.end() :].lstrip()]
        if first != number:
            self.problem(
                number,
                f"[{self.current.name}] {key} is already set on line {first}.",
                "Keep one of the two lines.",
            )
        else:
            self.values.append((self.current, key, number, self.parts))


def _has_control(content: str) -> bool:
    """Whether anything but a tab could break a terminal or a generated file."""
    return not content.isprintable() and any(
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in content if char != "\t"
    )


def _without_comment(line: str) -> tuple[str, bool]:
    """The stripped content of a line, and whether a comment was cut off."""
    if line.lstrip().startswith(("#", ";")):
        return "", True
    for match in re.finditer(";", line):
        if line[match.start() - 1].isspace():
            return line[: match.start()].strip(), True
    return line.strip(), False
