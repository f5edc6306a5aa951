"""Amounts as a llama-swap configuration writes them: Go durations and sizes in memory."""

from __future__ import annotations

import re
from decimal import Decimal

_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "μs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_NUMBER = r"(?:[0-9]{1,12}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_STEP = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_SIZE = re.compile(rf"({_NUMBER})\s*([KMGT]i?B|B)", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
#: A smaller amount of memory is a number whose unit was forgotten.
_LEAST = 1 << 20

DURATION_PATTERN = r"^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$"
SIZE_PATTERN = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*([KMGTkmgt][iI]?)?[bB]\s*$"


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``1m30s``. Raises ValueError that says what is wrong."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return 0.0
    total = Decimal(0)
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            break
        total += Decimal(step[1]) * _SECONDS[step[2]]
        at = step.end()
    if not rest or at < len(rest):
        unit = "missing unit in" if re.fullmatch(_NUMBER, rest[at:]) else "invalid"
        raise ValueError(f"{unit} duration {text!r}")
    return sign * float(total)


def parse_size(text: str) -> int:
    """Bytes of a size such as ``4.5GiB`` or ``24GB``. Raises ValueError that says what is wrong."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size")
    unit = match[2].lower().removesuffix("b")
    base = 1024 if unit.endswith("i") else 1000
    return check_size(int(Decimal(match[1]) * base ** _POWERS[unit.removesuffix("i")]))


def check_size(count: int) -> int:
    """``count`` bytes, unless that is nothing to put a model in: then ValueError."""
    if 0 < count < _LEAST or count < 0:
        raise ValueError(f"{count} bytes is too little")
    return count
