"""One llama-server option, and the readers that turn its text into a value.

A reader raises ``ValueError`` with the words "expected ..., got ...".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

Reader = Callable[[str], object]

TRUTHY = frozenset({"on", "enabled", "true", "1"})
FALSY = frozenset({"off", "disabled", "false", "0"})


@dataclass(frozen=True, slots=True)
class Flag:
    """A row of the option table.

    ``names`` and ``off`` are the positive and negative spellings, as llama-server has them.
    ``target`` is the dotted attribute of ``CommonParams`` that takes the value as it is; an
    option without one is interpreted in ``params``. ``read`` turns text into the value; ``None``
    makes the option a switch. ``bare`` allows it to be given without a value, which then is
    ``on``. ``many`` gathers all occurrences in a tuple; otherwise the last one counts. ``env`` is
    the environment variable that sets the option.
    """

    names: tuple[str, ...]
    off: tuple[str, ...]
    target: str
    read: Reader | None
    metavar: str
    bare: bool
    many: bool
    env: str
    help: str

    @property
    def key(self) -> str:
        """The option's first long name without dashes, such as ``ctx-size``."""
        return next(name for name in self.names if name.startswith("--"))[2:]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of one of the binding's enumerations, by name."""

    enum: str
    name: str


def integer(value: str) -> int:
    """Read a whole number."""
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"expected a whole number, got {value!r}") from None


def number(value: str) -> float:
    """Read a decimal number."""
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"expected a number, got {value!r}") from None


def factor(value: str) -> float:
    """Read a number above zero."""
    if (parsed := number(value)) > 0:
        return parsed
    raise ValueError(f"expected a number above zero, got {value!r}")


def seed(value: str) -> int:
    """Read a seed as 32 unsigned bits; -1, all ones, asks for a random one."""
    return integer(value) & 0xFFFFFFFF


def text(value: str) -> str:
    """Take the value as it is."""
    return value


def on_off(value: str) -> bool:
    """Read ``on`` or ``off`` in any of llama-server's spellings."""
    word = value.lower()
    if word in TRUTHY or word in FALSY:
        return word in TRUTHY
    raise ValueError(f"expected on or off, got {value!r}")


def on_off_auto(value: str) -> int:
    """Read ``on`` (1), ``off`` (0) or ``auto`` (-1)."""
    return -1 if value.lower() in ("auto", "-1") else int(on_off(value))


def layers(value: str) -> int:
    """Read a layer count, ``auto`` (-1) or ``all`` (-2)."""
    return {"auto": -1, "all": -2}.get(value) or integer(value)


def names(value: str) -> tuple[str, ...]:
    """Read a comma-separated list without its empty items."""
    return tuple(item.strip() for item in value.split(",") if item.strip())


def numbers(value: str) -> tuple[float, ...]:
    """Read numbers separated by commas or slashes."""
    return tuple(number(item) for item in re.split(r"[,/]+", value))


def json_object(value: str) -> dict[str, object]:
    """Read a JSON object."""
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise ValueError(f"expected a JSON object, got {value!r}: {error}") from None
    if isinstance(parsed, dict):
        return parsed
    raise ValueError(f"expected a JSON object, got {value!r}")


def one_of(enum: str, prefix: str, choices: str) -> Reader:
    """Make a reader of one of ``choices`` as a member of the binding's enumeration ``enum``.

    ``choices`` are separated by spaces. A choice's member is ``prefix`` plus the choice in
    capitals, with underscores for hyphens; ``choice=other`` names it explicitly.
    """
    members: dict[str, str] = {}
    for choice in choices.split():
        word, _, other = choice.partition("=")
        members[word] = prefix + (other or word).replace("-", "_").upper()

    def read(value: str) -> Member:
        member = members.get(value.lower())
        if member is None:
            raise ValueError(f"expected one of {', '.join(members)}, got {value!r}")
        return Member(enum, member)

    return read
