"""What the scheduler wants done; the engine carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.errors import RequestError


@dataclass(frozen=True, slots=True)
class Start:
    """Start the model's process; report ``started`` or ``stopped`` with this generation."""

    model: str
    generation: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the model's process; report ``stopped`` when it is gone."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """The ticket may use the model now."""

    ticket: int
    model: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The ticket will never be served."""

    ticket: int
    error: RequestError


Effect = Start | Stop | Grant | Reject
