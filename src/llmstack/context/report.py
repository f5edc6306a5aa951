"""What fitting did to a request, in numbers. Holds nothing of its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from llmstack.context.compaction import Action
    from llmstack.context.settings import Policy, Room, Window

SummaryState = Literal["", "written", "failed"]


@dataclass(frozen=True, slots=True)
class Report:
    """``original`` and ``sent`` are prompt tokens, ``exact`` says that a server counted ``sent``.

    ``applied`` is true only when content of the prompt changed; ``clamped`` is the output limit
    that took the place of one that did not fit. ``checkpoint`` is the beginning of the digest that
    the edits belong to, ``hit`` says that it was there before. ``rounds`` counts the steps down.
    """

    policy: Policy
    window: Window
    room: Room | None = None
    applied: bool = False
    original: int = 0
    sent: int = 0
    exact: bool = False
    actions: tuple[Action, ...] = ()
    checkpoint: str = ""
    hit: bool = False
    clamped: int | None = None
    summary: SummaryState = ""
    rounds: int = 0
