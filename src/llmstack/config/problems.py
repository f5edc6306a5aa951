"""What is wrong with a configuration file, where, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding in one file.

    ``line`` counts from 1, or is None where no line can be named. ``message`` says what is wrong
    in one sentence, ``fix`` what to write. Only severity ``error`` makes the file unusable.
    """

    file: str
    line: int | None
    message: str
    fix: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        kind = "" if self.severity == "error" else "warning: "
        return f"{where}: {kind}{self.message}" + (f" {self.fix}" if self.fix else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that proposes the known name closest to ``name``, or an empty string."""
    spelt = {candidate.lower(): candidate for candidate in known}
    match = get_close_matches(name.lower(), spelt, n=1, cutoff=0.6)
    return f"Did you mean {spelt[match[0]]!r}?" if match else ""
