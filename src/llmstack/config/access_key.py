"""A key that the stack's clients show, and the words in which people describe one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from llmstack.config.numbers import BadValueError, shown

Source = Literal["file", "environment", "config.json"]

#: What keys may be called: names end up in URLs, in logs and in the labels of metrics.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

#: The name of requests that show the key of this machine's own programs.
LOCAL = "local"

#: Most requests a minute that a key may be limited to.
MAX_RATE = 1_000_000

_FOR = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[mhdwy])")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_RATE = re.compile(r"(?P<number>[0-9]{1,9})(?:/(?:min|minute|m))?")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key, known by its digest only.

    ``sha256`` is lower-case hexadecimal. ``models`` are names as they were written: tiers, aliases,
    models or ``auto``; None is all of them. ``prefix`` are the key's first characters, by which its
    owner knows it again. ``created`` and ``expires`` are Unix seconds, ``rate`` is requests a
    minute; None is unknown, never and unlimited.
    """

    name: str
    sha256: str = field(repr=False)
    models: tuple[str, ...] | None = None
    admin: bool = False
    prefix: str = ""
    created: int | None = None
    expires: int | None = None
    rate: int | None = None
    source: Source = "file"

    def expired(self, now: float) -> bool:
        """Whether it is not valid any more at ``now``."""
        return self.expires is not None and now >= self.expires

    def to_json(self) -> dict[str, Any]:
        """The entry of the key file."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "prefix": self.prefix,
            "models": None if self.models is None else list(self.models),
            "admin": self.admin,
            "created": self.created,
            "expires": self.expires,
            "rate": self.rate,
        }


def parse_name(text: str) -> str:
    """A name for a key."""
    if NAME.fullmatch(text) is None or text.lower() == LOCAL:
        why = "is what this machine's own programs are called"
        raise BadValueError(
            f"{shown(text)} {why if text.lower() == LOCAL else 'is not a name for a key'}",
            "Use up to 64 letters, digits and . _ @ -, for example laptop or ci-runner.",
        )
    return text


def parse_expiry(text: str, now: float | None) -> int:
    """When a key ends, in Unix seconds: ``90d`` from ``now``, or a date such as 2030-01-31 (UTC).

    Units are m (minutes), h, d, w and y (365 days). Without a ``now`` only a date will do.
    """
    text = text.strip()
    if match := _FOR.fullmatch(text):
        seconds = int(match["number"]) * _UNITS[match["unit"]]
        if seconds and now is not None:
            return int(now) + seconds
    else:
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return int(moment.timestamp())
        except (ValueError, OverflowError):
            pass
    raise BadValueError(
        f"{shown(text)} is no time at which a key could end",
        "Write a date such as 2030-01-31."
        if now is None
        else "Write 90d (m, h, d, w and y are understood), or a date such as 2030-01-31.",
    )


def parse_rate(text: str) -> int:
    """Requests a minute: ``60`` or ``60/min``."""
    match = _RATE.fullmatch(text.strip())
    if match and 1 <= (rate := int(match["number"])) <= MAX_RATE:
        return rate
    raise BadValueError(f"{shown(text)} is not a rate", "Write requests a minute: 60/min.")
