"""Members of a hostile request: each of the type that it must have, and those that nobody reads.

``where`` is the path of a member as errors show it: ``messages[0].content``.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from llmstack.dialects.translation.conversation import EFFORTS
from llmstack.dialects.translation.depth import shallow
from llmstack.dialects.wire import decode_mended, too_deep
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Container

    from llmstack.dialects.translation.conversation import Effort

#: Names that are reported. A body can hold any number of unknown members.
NAME_LIMIT = 40

_anything = msgspec.json.Decoder(Any)
_INDEX = re.compile(r"\[\d+\]")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: What some members say by default, so that its loss is none.
_USUAL: dict[str, tuple[str, ...]] = {
    "service_tier": ("auto", "default"),
    "truncation": ("disabled",),
}


class Dropped:
    """Names of what could not be kept, each once, in the order in which they came.

    They go into a log and a header: a client's name that is no plain word is told as "other".
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, where: str, name: object = "") -> None:
        """Name ``where``, or the client's ``name`` within it. Positions in lists are left out."""
        path = _INDEX.sub("", where)
        if name != "":
            plain = name if isinstance(name, str) and _PLAIN.fullmatch(name) else "other"
            path = f"{path}.{plain}" if path else plain
        if len(self._names) < NAME_LIMIT:
            self._names[path] = None

    def add_unknown(self, members: dict[str, Any], known: Container[str], where: str = "") -> None:
        """Name the ``members`` that are not ``known`` and ask for something."""
        for name, value in members.items():
            # None, false, 0, "" and what is empty ask for nothing.
            usual = isinstance(value, str) and value in _USUAL.get(name, ())
            if name not in known and value and not usual:
                self.add(where, name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names so far."""
        return tuple(self._names)


def decode_object(body: bytes, example: str) -> dict[str, Any]:
    """The members of ``body``; ``example`` shows in an error what to send.

    Raises:
        BadRequest: it is no JSON object.
    """
    members: Any
    try:
        members = _anything.decode(body)
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, ValueError) as error:
        members = decode_mended(_anything, body, str(error))
    if isinstance(members, dict):
        return members
    raise BadRequest("The request body is not a JSON object", fix=f"Send an object: {example}.")


def schema_of(value: object, where: str) -> dict[str, Any]:
    """``value``, which must be an object, a JSON Schema of few enough levels."""
    if not isinstance(value, dict):
        refuse(where, value, "an object, a JSON Schema")
    if not shallow(value):
        raise too_deep()
    return value


def optional_schema(value: object, where: str) -> dict[str, Any]:
    """``value``, a JSON Schema of an object, one that takes any object for none."""
    told = {} if value is None else schema_of(value, where)
    return told or {"type": "object"}


def refuse(where: str, value: object, wanted: str) -> NoReturn:
    """Raise the BadRequest that says what ``where`` is and what it must be."""
    raise BadRequest(
        f'The request\'s "{where}" cannot be read',
        why=f'"{where}" is {_kind(value)}.',
        fix=f'Send "{where}" as {wanted}.',
    )


def text_of(value: object, where: str) -> str:
    """``value``, which must be a string."""
    return value if isinstance(value, str) else refuse(where, value, "a string")


def name_of(value: object, where: str) -> str:
    """``value``, which must be a string with something in it."""
    if isinstance(value, str) and value:
        return value
    return refuse(where, value, "a string that is not empty")


def object_of(value: object, where: str) -> dict[str, Any]:
    """``value``, which must be an object."""
    return value if isinstance(value, dict) else refuse(where, value, "an object")


def list_of(value: object, where: str) -> list[Any]:
    """``value``, which must be an array."""
    return value if isinstance(value, list) else refuse(where, value, "an array")


def optional_text(value: object, where: str) -> str:
    """``value``, a string, "" for none."""
    return "" if value is None else text_of(value, where)


def optional_object(value: object, where: str) -> dict[str, Any]:
    """``value``, an object, an empty one for none."""
    return {} if value is None else object_of(value, where)


def optional_list(value: object, where: str) -> list[Any]:
    """``value``, an array, an empty one for none."""
    return [] if value is None else list_of(value, where)


def optional_flag(value: object, where: str) -> bool | None:
    """``value``, true or false, None for none."""
    if value is None or isinstance(value, bool):
        return value
    return refuse(where, value, "true or false")


def optional_number(
    value: object, where: str, least: float = -math.inf, most: float = math.inf
) -> float | None:
    """``value``, a finite number from ``least`` to ``most``, None for none."""
    if value is None:
        return None
    told = _number(value)
    if told is None or not least <= told <= most:
        return refuse(where, value, f"a number{_bounds(least, most)}")
    return told


def optional_whole(value: object, where: str, least: float = -math.inf) -> int | None:
    """``value``, a whole number of 64 bits from ``least`` on, None for none."""
    if value is None:
        return None
    told = _number(value)
    if told is None or told != int(told) or told < least or abs(told) >= 2**63:
        return refuse(where, value, f"a whole number{_bounds(least, math.inf)}")
    return int(value)  # type: ignore[call-overload,no-any-return]


def optional_effort(value: object, where: str) -> Effort | None:
    """``value``, how hard to think, None for none."""
    if value is None or value == "":
        return None
    for effort in EFFORTS:
        if effort == value:
            return effort
    return refuse(where, value, f"one of {', '.join(EFFORTS)}")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        told = float(value)
    except OverflowError:
        return None
    return told if math.isfinite(told) else None


def _bounds(least: float, most: float) -> str:
    if math.isinf(most):
        return "" if math.isinf(least) else f" of at least {least:g}"
    return f" from {least:g} to {most:g}"


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value!r}"[:60]
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    return "an array" if isinstance(value, list) else "an object"
