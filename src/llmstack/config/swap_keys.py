"""Every key of a llama-swap configuration: the one table behind reading, warnings and schema.

A table stands for one kind of mapping in the file. The reader takes defaults and known names from
here, so a key that is not in a table cannot be read, and the schema cannot say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: How a value is written. ``section`` is a mapping with a table of its own, ``sections`` a mapping
#: from names to such; ``map`` kinds map names to plain values; ``free`` is any mapping.
Kind = Literal[
    "text",
    "integer",
    "share",
    "boolean",
    "duration",
    "size",
    "texts",
    "section",
    "sections",
    "text map",
    "integer map",
    "macros",
    "free",
    "free map",
    "keys",
]


@dataclass(frozen=True, slots=True)
class SwapKey:
    """One key.

    ``default`` holds when the key is missing or null. ``inner`` names the table of a section. A
    ``required`` key may be missing where the key ``unless`` is there. ``addition`` marks what
    llama-swap itself does not know (it ignores such keys), ``deprecated`` what is understood only
    for old files. The value of a ``secret`` key is never shown.
    """

    name: str
    kind: Kind
    default: str | float | int | bool | tuple[str, ...] | None
    meaning: str
    inner: str = ""
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    required: bool = False
    unless: str = ""
    addition: bool = False
    deprecated: bool = False
    secret: bool = False


#: Keys by name.
Table = dict[str, SwapKey]


def table(*keys: SwapKey) -> Table:
    """The table of ``keys``."""
    return {key.name: key for key in keys}


def text(name: str, meaning: str, default: str = "", *, choices: tuple[str, ...] = ()) -> SwapKey:
    """A key whose value is a text."""
    return SwapKey(name, "text", default, meaning, choices=choices)


def integer(name: str, default: int, meaning: str, minimum: int | None = None) -> SwapKey:
    """A key whose value is a whole number."""
    return SwapKey(name, "integer", default, meaning, minimum=minimum)


def share(name: str, default: float, meaning: str) -> SwapKey:
    """A key whose value is a number above 0 and up to 1."""
    return SwapKey(name, "share", default, meaning)


def boolean(name: str, meaning: str, *, default: bool = False) -> SwapKey:
    """A key whose value is true or false."""
    return SwapKey(name, "boolean", default, meaning)


def texts(name: str, meaning: str, default: tuple[str, ...] = ()) -> SwapKey:
    """A key whose value is a list of texts."""
    return SwapKey(name, "texts", default, meaning)


def section(name: str, inner: str, meaning: str) -> SwapKey:
    """A key whose value is a mapping with keys of its own."""
    return SwapKey(name, "section", None, meaning, inner=inner)


def sections(name: str, inner: str, meaning: str) -> SwapKey:
    """A key whose value maps names to mappings of one kind."""
    return SwapKey(name, "sections", None, meaning, inner=inner)


def of_kind(name: str, kind: Kind, meaning: str) -> SwapKey:
    """A key of another kind that is empty by default."""
    return SwapKey(name, kind, None, meaning)
