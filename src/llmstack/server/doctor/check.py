"""One line of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found. ``fix`` says what to do when ``level`` is not ``ok``."""

    name: str
    level: Literal["ok", "warning", "problem"]
    finding: str
    fix: str = ""
