"""Members of a request of Anthropic's API, checked, and the names of those that are not kept."""

from __future__ import annotations

import re
from typing import Any

from llmstack.errors import BadRequest

#: Names that are reported. A body can hold any number of unknown members.
NAME_LIMIT = 40

_INDEX = re.compile(r"\[\d+\]")
_UNPRINTABLE = re.compile(r"[^A-Za-z0-9_.-]")
_LARGEST = 2**31 - 1


class Dropped:
    """Collects what has no counterpart, each name once: ``messages.content.citations``."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, where: str) -> None:
        """Name a member. Positions in lists are left out, as is what no header may hold."""
        name = _UNPRINTABLE.sub("?", _INDEX.sub("", where))[:80]
        if len(self._names) < NAME_LIMIT:
            self._names[name] = None

    def add_unknown(self, members: dict[str, Any], known: frozenset[str], where: str = "") -> None:
        """Name the ``members`` that nobody reads. A null is as good as a missing member."""
        for name, value in members.items():
            if name not in known and value is not None:
                self.add(f"{where}.{name}" if where else name)

    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they were met."""
        return tuple(self._names)


def wrong(where: str, wanted: str) -> BadRequest:
    """The error for the member ``where``, which is not ``wanted``."""
    return BadRequest(f'"{where}" is not {wanted}', fix=f'Send "{where}" as {wanted}.')


def as_object(value: Any, where: str) -> dict[str, Any]:
    """``value``, an object. Raises BadRequest."""
    if isinstance(value, dict):
        return value
    raise wrong(where, "an object")


def as_list(value: Any, where: str) -> list[Any]:
    """``value``, an array. Raises BadRequest."""
    if isinstance(value, list):
        return value
    raise wrong(where, "an array")


def as_text(value: Any, where: str) -> str:
    """``value``, a string. Raises BadRequest."""
    if isinstance(value, str):
        return value
    raise wrong(where, "a string")


def as_name(value: Any, where: str) -> str:
    """``value``, a string with something in it. Raises BadRequest."""
    if isinstance(value, str) and value:
        return value
    raise wrong(where, "a string that is not empty")


def optional_text(value: Any, where: str) -> str:
    """``value``, a string, or "" for none. Raises BadRequest."""
    return "" if value is None else as_text(value, where)


def optional_flag(value: Any, where: str) -> bool | None:
    """``value``, true or false or None. Raises BadRequest."""
    if value is None or isinstance(value, bool):
        return value
    raise wrong(where, "true or false")


def optional_whole(value: Any, where: str, least: int) -> int | None:
    """``value``, a whole number from ``least`` on, or None. Raises BadRequest."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= _LARGEST:
        return value
    raise wrong(where, f"a whole number from {least} to {_LARGEST}")


def optional_number(value: Any, where: str, least: float, most: float) -> float | None:
    """``value``, a number from ``least`` to ``most``, or None. Raises BadRequest."""
    if value is None:
        return None
    # Comparing first: a whole number may be too large for a float. Nothing compares with NaN.
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if fits and least <= value <= most:
        return float(value)
    raise wrong(where, f"a number from {least} to {most}")
