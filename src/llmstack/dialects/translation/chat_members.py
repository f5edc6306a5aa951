"""The members of a JSON object that remembers which of them were read.

Chat completions have more members that are no standard than any other API: what nobody read is
told, without a list of all that are known.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NoReturn

from llmstack.dialects.translation.members import (
    Dropped,
    decode_object,
    name_of,
    object_of,
    optional_effort,
    optional_flag,
    optional_number,
    optional_text,
    optional_whole,
    refuse,
    schema_of,
)

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Effort


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
        return optional_text(self.any(name), self._path(name))

    def need(self, name: str) -> str:
        """A string that must be there and not be empty."""
        return name_of(self.any(name), self._path(name))

    def flag(self, name: str) -> bool | None:
        """True or false."""
        return optional_flag(self.any(name), self._path(name))

    def number(self, name: str, least: float = -inf) -> float | None:
        """A finite number, not less than ``least``."""
        return optional_number(self.any(name), self._path(name), least)

    def whole(self, name: str) -> int | None:
        """A whole number that fits into 64 bits."""
        return optional_whole(self.any(name), self._path(name))

    def effort(self, name: str) -> Effort | None:
        """How hard to think."""
        return optional_effort(self.any(name), self._path(name))

    def schema(self, name: str) -> dict[str, Any] | None:
        """A JSON Schema."""
        value = self.any(name)
        return None if value is None else schema_of(value, self._path(name))

    def object(self, name: str) -> Members | None:
        """An object."""
        value = self.any(name)
        return None if value is None else self.inner(name, object_of(value, self._path(name)))

    def need_object(self, name: str, wanted: str) -> Members:
        """An object that must be there and not be empty."""
        value = self.any(name)
        if isinstance(value, dict) and value:
            return self.inner(name, value)
        return self.refuse(name, wanted)

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

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """Raise BadRequest: the member ``name`` must be ``wanted``."""
        refuse(self._path(name), self._members.get(name), wanted)

    def drop(self, name: str) -> None:
        """Note that the member ``name`` cannot be kept."""
        self.dropped.add(self.where, name)

    def drop_rest(self) -> None:
        """Note every member that asks for something and that nobody has read."""
        self.dropped.add_unknown(self._members, self._read, self.where)

    def _path(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def read_members(body: bytes, example: str) -> Members:
    """The members of a request's body.

    Raises:
        BadRequest: it is no JSON object; ``example`` shows what to send.
    """
    return Members(decode_object(body, example), "", Dropped())
