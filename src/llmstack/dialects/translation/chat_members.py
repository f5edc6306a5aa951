"""The members of a JSON object: each read with a check, and those that nobody read told."""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

import msgspec

from llmstack.dialects.wire import decode_mended, too_deep
from llmstack.errors import BadRequest

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_OBJECT = msgspec.json.Decoder(dict[str, Any])


class Dropped:
    """Names of members that could not be kept, each once, in the order in which they came.

    They go into a log and a header: a name that is no plain word is told as "other".
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, where: str, name: str) -> None:
        """Note the member ``name`` of ``where``, "" for the body itself."""
        plain = name if _NAME.fullmatch(name) else "other"
        if len(self._names) < 64:
            self._names[f"{where}.{plain}" if where else plain] = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names so far."""
        return tuple(self._names)


class Members:
    """One object of a body. A member that is null counts as one that is not there.

    ``where`` is its path for messages, without the indexes of arrays. Every reader raises
    BadRequest for a value of another type.
    """

    def __init__(self, members: dict[str, Any], where: str, dropped: Dropped) -> None:
        self._members = members
        self.where = where
        self.dropped = dropped
        self._read: set[str] = set()

    def any(self, name: str) -> Any:
        """The member as it is, None for none."""
        self._read.add(name)
        return self._members.get(name)

    def text(self, name: str) -> str:
        """A string, "" for none."""
        value = self.any(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else self.refuse(name, "a string")

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self.any(name)
        if value is None or isinstance(value, bool):
            return value
        return self.refuse(name, "true or false")

    def number(self, name: str, low: float | None = None) -> float | None:
        """A finite number, not less than ``low``."""
        value = self.any(name)
        if value is None:
            return None
        told = as_number(value)
        if told is None or (low is not None and told < low):
            return self.refuse(name, "a number" if low is None else f"a number from {low:g} on")
        return told

    def whole(self, name: str) -> int | None:
        """A whole number that fits into 64 bits."""
        value = self.any(name)
        if value is None:
            return None
        told = as_number(value)
        if told is None or told != int(told) or abs(told) >= 2**63:
            return self.refuse(name, "a whole number")
        return int(value)

    def object(self, name: str) -> Members | None:
        """An object."""
        value = self.any(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            return self.refuse(name, "an object")
        return self.inner(name, value)

    def objects(self, name: str) -> list[Members]:
        """The objects of an array, none for no array."""
        value = self.any(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            return self.refuse(name, "an array of objects")
        return [self.inner(name, one) for one in value]

    def inner(self, name: str, members: dict[str, Any]) -> Members:
        """``members``, which were found in the member ``name``."""
        return Members(members, self._path(name), self.dropped)

    def need(self, name: str) -> str:
        """A string that must be there and not be empty."""
        return self.text(name) or self.refuse(name, "a string that is not empty")

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """Raise BadRequest: the member ``name`` must be ``wanted``."""
        path = self._path(name)
        raise BadRequest(f"{path} is not what it must be", fix=f"Send {path} as {wanted}.")

    def drop(self, name: str) -> None:
        """Note that the member ``name`` cannot be kept."""
        self.dropped.add(self.where, name)

    def drop_rest(self) -> None:
        """Note every member that asks for something and that nobody has read."""
        for name, value in self._members.items():
            if name not in self._read and value not in (None, False, "", [], {}):
                self.drop(name)

    def _path(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def read_members(body: bytes) -> Members:
    """The members of a request's body.

    Raises:
        BadRequest: it is no JSON object.
    """
    try:
        members = _OBJECT.decode(body)
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, ValueError) as error:
        members = decode_mended(_OBJECT, body, str(error))
    return Members(members, "", Dropped())


def as_number(value: Any) -> float | None:
    """A finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        told = float(value)
    except OverflowError:
        return None
    return told if math.isfinite(told) else None
