"""Members of an untrusted JSON object of the Responses API, of the type that they must have."""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

from llmstack.errors import BadRequest

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def refuse(where: str, value: object, wanted: str) -> NoReturn:
    """Raise the BadRequest that says what ``where`` is and what it must be."""
    raise BadRequest(
        f"The request's {where} cannot be read",
        why=f'"{where}" is {_kind(value)}.',
        fix=f'Send "{where}" as {wanted}.',
    )


def text_of(value: object, where: str, wanted: str = "a string") -> str:
    """``value``, which must be a string."""
    return value if isinstance(value, str) else refuse(where, value, wanted)


def name_of(value: object, where: str) -> str:
    """``value``, which must be a string that is not empty."""
    if isinstance(value, str) and value:
        return value
    return refuse(where, value, "a string that is not empty")


def words(value: object, where: str) -> str:
    """``value`` where a string may be missing: "" then."""
    return "" if value is None else text_of(value, where)


def flag(value: object, where: str) -> bool | None:
    """``value`` where true, false or nothing may be said."""
    if value is None or isinstance(value, bool):
        return value
    return refuse(where, value, "true or false")


def number(value: object, where: str) -> float | None:
    """``value`` where a number may be said."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            if math.isfinite(value):
                return float(value)
        except OverflowError:
            pass
    return refuse(where, value, "a number")


def count(value: object, where: str) -> int | None:
    """``value`` where a number of at least 1 may be said."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    return refuse(where, value, "a whole number of at least 1")


def object_of(value: object, where: str) -> dict[str, Any]:
    """``value`` where an object may be missing: an empty one then."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else refuse(where, value, "an object")


def list_of(value: object, where: str) -> list[Any]:
    """``value`` where an array may be missing: an empty one then."""
    if value is None:
        return []
    return value if isinstance(value, list) else refuse(where, value, "an array")


def plain(name: object) -> str:
    """A client's ``name`` for something, fit for a log line and a header."""
    return name if isinstance(name, str) and _PLAIN.fullmatch(name) else "unknown"


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
