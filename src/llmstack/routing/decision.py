"""The outcome of routing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Which tier answers and why.

    ``reason`` is one short ASCII phrase fit for a response header; ``tokens`` the estimated
    prompt size; ``tried`` the rules looked at in order, each with its outcome, for ``explain``.
    """

    model: str
    reason: str
    tokens: int
    tried: tuple[str, ...] = ()
