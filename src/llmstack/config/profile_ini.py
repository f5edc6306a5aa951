"""The text of a ``models.ini`` that was made for a machine's memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.config.templates import profile_template

if TYPE_CHECKING:
    from collections.abc import Iterable

#: No prompt above this goes to a tier for difficult work, whatever its window.
_HIGH = 12_000
#: Where the shipped file has its arithmetic put.
_MARK = "\n[DEFAULT]\n"


@dataclass(frozen=True, slots=True)
class Section:
    """One tier: remarks over it, its name, and its keys in order."""

    remarks: tuple[str, ...]
    name: str
    entries: tuple[tuple[str, str], ...]


def profile_ini(
    profile: str, lines: Iterable[str], sections: Iterable[Section], *, cpu: bool, window: int
) -> str:
    """The file for ``profile``; ``lines`` are its arithmetic, ``window`` is code-smart's."""
    ceiling = window // 2
    values = {
        "profile": profile,
        "arithmetic": commented(lines),
        "layers": "0" if cpu else "999",
        "tiers": "\n".join(map(_section, sections)),
        "high": str(min(_HIGH, ceiling)),
        "mid": str(ceiling),
    }
    text = profile_template()
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def with_arithmetic(ini: str, profile: str, lines: Iterable[str]) -> str:
    """The shipped file with its arithmetic in front of the first section."""
    head, mark, tail = ini.partition(_MARK)
    intro = f"; Profile {profile}. How it fits into memory; llmstack fit works it out again:"
    return f"{head}\n{intro}\n;\n{commented(lines)}\n{mark}{tail}"


def commented(lines: Iterable[str]) -> str:
    """The lines as comments."""
    return "\n".join(f"; {line}".rstrip() for line in lines)


def _section(section: Section) -> str:
    keys = "".join(f"{key} = {value}\n" for key, value in section.entries)
    return f"\n{commented(section.remarks)}\n[{section.name}]\n{keys}"
