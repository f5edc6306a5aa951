"""Numbers and flags as people write them, read strictly.

Every function takes the text of one value and returns it typed, or raises ``BadValueError`` with
what is wrong and what to write. Nothing is rounded, cut off or guessed.
"""

from __future__ import annotations

import re
from fractions import Fraction

#: The largest count that llama-server can hold (a signed 32-bit integer).
MAX_TOKENS = 2**31 - 1

MAX_PORT = 65_535

#: Longer digit runs are refused unread: converting them is slow, and Python itself may refuse.
_LONGEST = 40

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INTEGER = re.compile(rf"[+-]?{_DIGITS}")
_TOKENS = re.compile(rf"(?P<number>{_DIGITS}(?:\.[0-9]+)?)(?P<unit>[kKmM]?)")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[,' .][0-9]{3})+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_SECONDS = re.compile(rf"(?P<number>{_DIGITS})(?P<unit>[smh]?)")

_TOKEN_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}
_SECOND_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class BadValueError(ValueError):
    """A value that cannot be read. ``what`` says why, ``fix`` what to write."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def shown(text: str) -> str:
    """``text`` in quotes, short enough for a message."""
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")


def parse_tokens(text: str) -> int:
    """A count of tokens: ``65536``, ``131_072``, ``64k``, ``1.5M``.

    ``k`` is 1024 and ``M`` 1024 * 1024, as in the context sizes of model cards, where 128k
    means 131072.
    """
    match = _TOKENS.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        raise BadValueError(f"{shown(text)} is not a count of tokens", _tokens_hint(text))
    count = Fraction(match["number"].replace("_", "")) * _TOKEN_UNITS[match["unit"].lower()]
    if count.denominator != 1:
        raise BadValueError(
            f"{shown(text)} is not a whole number of tokens", f"Write {round(count)}."
        )
    if count > MAX_TOKENS:
        raise BadValueError(f"{shown(text)} is more than {MAX_TOKENS} tokens", "Write less.")
    return int(count)


def _tokens_hint(text: str) -> str:
    if len(text) > _LONGEST:
        return f"Write a number of at most {MAX_TOKENS}."
    if _THOUSANDS.fullmatch(text):
        return f"Write {re.sub('[^0-9]', '', text)}."
    if _DECIMAL.fullmatch(text):
        number = Fraction(text)
        if number.denominator == 1 and 0 <= number <= MAX_TOKENS:
            return f"Write {number}."
    return "Write a number such as 65536, 65_536, 64k or 1.5M."


def parse_int(text: str, *, minimum: int, maximum: int = MAX_TOKENS) -> int:
    """A whole number between two bounds, both included; ``1_000`` is allowed."""
    if _INTEGER.fullmatch(text) is None:
        raise BadValueError(
            f"{shown(text)} is not a whole number", f"Write a number from {minimum} to {maximum}."
        )
    if len(text) > _LONGEST or not minimum <= (number := int(text)) <= maximum:
        raise BadValueError(
            f"{shown(text)} is out of range", f"Write a number from {minimum} to {maximum}."
        )
    return number


def parse_port(text: str) -> int:
    """A TCP port."""
    return parse_int(text, minimum=1, maximum=MAX_PORT)


def parse_decimal(text: str, *, minimum: float, maximum: float) -> float:
    """A decimal number between two bounds, both included; ``1e-3`` is allowed."""
    if _DECIMAL.fullmatch(text) is None:
        raise BadValueError(f"{shown(text)} is not a number", "Write a number such as 0.95.")
    number = float(text)
    if not minimum <= number <= maximum:
        raise BadValueError(
            f"{shown(text)} is out of range", f"Write a number from {minimum:g} to {maximum:g}."
        )
    return number


def parse_gigabytes(text: str) -> float:
    """A size in GB, more than zero, without a unit."""
    bare = re.sub(r"\s*(?:GB|GiB|G)$", "", text, flags=re.IGNORECASE)
    if bare != text and _DECIMAL.fullmatch(bare):
        raise BadValueError(f"{shown(text)} has a unit", f"Write {bare}; the unit is always GB.")
    size = parse_decimal(text, minimum=0, maximum=100_000)
    if size == 0:
        raise BadValueError(f"{shown(text)} is no size", "Write the size of the file in GB.")
    return size


def parse_seconds(text: str) -> int:
    """A time in seconds: ``1200``, or with a unit ``90s``, ``20m``, ``1h``."""
    match = _SECONDS.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        raise BadValueError(
            f"{shown(text)} is not a number of seconds",
            "Write whole seconds such as 1200, or 20m or 1h; 0 means never.",
        )
    seconds = int(match["number"]) * _SECOND_UNITS[match["unit"]]
    if seconds > MAX_TOKENS:
        raise BadValueError(f"{shown(text)} is out of range", "Write 0 for never.")
    return seconds


def parse_bool(text: str) -> bool:
    """``1``, ``true``, ``yes``, ``on`` or ``0``, ``false``, ``no``, ``off``, in any case."""
    if (flag := _BOOLEANS.get(text.lower())) is None:
        raise BadValueError(f"{shown(text)} is neither true nor false", "Write true or false.")
    return flag
