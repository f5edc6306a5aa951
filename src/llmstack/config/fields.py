"""Typed access to one section, with ``[DEFAULT]`` behind it, that collects every problem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from llmstack.config.numbers import BadValueError, shown
from llmstack.config.problems import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmstack.config.ini import Entry, Section

T = TypeVar("T")

#: What tiers, roles and aliases may be called: they end up in commands, URLs and YAML keys.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Fields:
    """The values of one section. A value that cannot be read counts as absent."""

    def __init__(
        self, source: str, own: Section, problems: list[Problem], defaults: Section | None = None
    ) -> None:
        self.source = source
        self.own = own
        self.problems = problems
        self._inherited = defaults.entries if defaults else {}

    def entry(self, key: str) -> Entry | None:
        """The entry of the section itself, else that of ``[DEFAULT]``."""
        return self.own.entries.get(key) or self._inherited.get(key)

    def has(self, key: str) -> bool:
        """Whether the key is set to something."""
        entry = self.entry(key)
        return entry is not None and entry.value != ""

    def line(self, key: str) -> int | None:
        """The line of the key, else that of the section's header."""
        entry = self.entry(key)
        return entry.line if entry else self.own.line

    def error(self, key: str, what: str, fix: str) -> None:
        """Record that the value of ``key`` makes the file unusable."""
        self._record(key, what, fix, warning=False)

    def warning(self, key: str, what: str, fix: str) -> None:
        """Record that the value of ``key`` has no effect or an odd one."""
        self._record(key, what, fix, warning=True)

    def _record(self, key: str, what: str, fix: str, *, warning: bool) -> None:
        entry = self.entry(key)
        section = entry.section if entry else self.own.name
        self.problems.append(
            Problem(
                self.source,
                self.line(key),
                f"[{section}] {key}: {what}.",
                fix,
                "warning" if warning else "error",
            )
        )

    def read(self, key: str, parse: Callable[[str], T], *, variables: bool = False) -> T | None:
        """The parsed value, or None where it is absent, empty or wrong."""
        text = self.text(key, variables=variables)
        if not text:
            return None
        try:
            return parse(text)
        except BadValueError as error:
            self.error(key, error.what, error.fix)
            return None

    def text(self, key: str, *, variables: bool = False) -> str | None:
        """The value as safe single-line text, or None where it is absent or unsafe.

        ``variables`` allows ``${NAME}``: the value stands in no generated file.
        """
        entry = self.entry(key)
        if entry is None:
            return None
        if "\n" in entry.value:
            self.error(
                key,
                "the value goes on over several lines",
                "An indented line continues the value above it; remove the blanks before it.",
            )
            return None
        return entry.value if variables or self._safe(key, entry.value) else None

    def choice(self, key: str, choices: Iterable[str]) -> str | None:
        """The value in lower case, which must be one of ``choices``."""
        choices = tuple(choices)

        def parse(text: str) -> str:
            if text.lower() in choices:
                return text.lower()
            listed = ", ".join(choices)
            raise BadValueError(
                f"{shown(text)} is not one of {listed}",
                nearest(text, choices) or f"Write one of {listed}.",
            )

        return self.read(key, parse)

    def words(self, key: str) -> tuple[str, ...]:
        """A list separated by commas or line ends, without doubles."""
        entry = self.entry(key)
        if entry is None or not self._safe(key, entry.value):
            return ()
        return split_words(entry.value)

    def lines(self, key: str, *, variables: bool = False) -> tuple[str, ...]:
        """The lines of the value that hold something; ``variables`` as for ``text``."""
        entry = self.entry(key)
        if entry is None or not (variables or self._safe(key, entry.value)):
            return ()
        return tuple(line.strip() for line in entry.value.split("\n") if line.strip())

    def _safe(self, key: str, value: str) -> bool:
        """Refuse what could change the meaning of a generated file."""
        if "${" in value:
            self.error(
                key,
                "the value holds ${, which would be read as a macro of the generated file",
                "Write the value itself.",
            )
            return False
        return True


def split_words(text: str) -> tuple[str, ...]:
    """A list separated by commas or line ends, without doubles; blanks inside a part stay one."""
    parts = (" ".join(part.split()) for part in re.split(r"[,\n]", text))
    return tuple(dict.fromkeys(part for part in parts if part))
