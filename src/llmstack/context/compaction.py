"""What comes out of the ladder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from llmstack.context.edits import Edit
    from llmstack.context.settings import Room

Rung = Literal["collapsed", "cleared", "referred", "summarised", "dropped", "cut"]


@dataclass(frozen=True, slots=True)
class Action:
    """One rung's work: how many results, units or texts, and the tokens that it freed."""

    rung: Rung
    count: int
    freed: int


@dataclass(frozen=True, slots=True)
class Span:
    """Items that a summary may stand for: ``start`` up to, not including, ``end``.

    Not all of them need to go: the last user turn may be among them and stays as it is.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Compaction:
    """All edits of the client's own body, those of the checkpoint it began with too.

    ``tokens`` is what the prompt then has by the ruler. ``changed`` says that a step down was made:
    the prompt does not begin as the one before it did, and a checkpoint is due. ``wants`` is the
    span whose place a summary could take; the edits are good without one, and say visibly what is
    gone.
    """

    edits: tuple[Edit, ...]
    tokens: float
    summary: str = ""
    actions: tuple[Action, ...] = ()
    changed: bool = False
    wants: Span | None = None


@dataclass(frozen=True, slots=True)
class Overflow:
    """The prompt does not fit. ``least`` is the least that it can be made, as far as was tried."""

    tokens: float
    room: Room
    least: float
