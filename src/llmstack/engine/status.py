"""One row of what the engine knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from llmstack.engine.plan import State


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What the engine knows about one model now. ``since`` is on the engine's clock.

    ``ttl_left`` is the seconds until it is stopped for being idle, None when it would not be.
    ``queue`` counts those who wait for it. ``memory`` is in bytes, None unless it was measured.
    ``used`` says that its present load has served somebody.
    """

    id: str
    state: State
    in_flight: int
    since: float
    pid: int | None
    ttl_left: float | None = None
    queue: int = 0
    memory: int | None = None
    used: bool = False


class Outlook(msgspec.Struct, frozen=True):
    """What a request for a model would meet now; ``evicts`` are those that would stop for it."""

    state: State
    busy: bool
    evicts: frozenset[str]
