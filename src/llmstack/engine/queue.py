"""Who waits for which model, in which order and for how long."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.config.swap import SwapConfig


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of waiting, in seconds; 0 switches each off.

    ``min_residency``: how long a model that has served somebody stays before a swap may stop it.
    ``max_wait``: from then on a waiting request is overdue, and nobody who came later is put
    before it. ``queue_timeout``: from then on it is turned away.
    """

    min_residency: float = 0
    max_wait: float = 0
    queue_timeout: float = 0

    @classmethod
    def of(cls, config: SwapConfig) -> Limits:
        """The limits that ``config`` sets."""
        return cls(config.min_residency, config.max_wait, config.queue_timeout)


@dataclass(slots=True, order=True)
class Waiting:
    """A request in the queue. ``uses`` is false for one that only wants the model loaded."""

    order: tuple[int, int]  # (-priority, arrival)
    ticket: int = field(compare=False)
    model: str = field(compare=False)
    since: float = field(compare=False)
    uses: bool = field(compare=False, default=True)
    overdue: bool = field(compare=False, default=False)


class Queue:
    """All waiting requests, ordered by priority, then arrival."""

    def __init__(self) -> None:
        self._line: list[Waiting] = []
        self._by_ticket: dict[int, Waiting] = {}
        self._arrivals = 0

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._by_ticket

    def __len__(self) -> int:
        return len(self._line)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._line)

    def add(self, ticket: int, model: str, priority: int, now: float, *, uses: bool) -> None:
        """Queue up a request."""
        self._arrivals += 1
        waiting = Waiting((-priority, self._arrivals), ticket, model, now, uses)
        insort(self._line, waiting)
        self._by_ticket[ticket] = waiting

    def remove(self, ticket: int) -> Waiting | None:
        """Take a request out; None if it does not wait."""
        waiting = self._by_ticket.pop(ticket, None)
        if waiting is not None:
            self._line = [other for other in self._line if other.ticket != ticket]
        return waiting

    def of(self, model: str) -> list[int]:
        """The tickets that wait for ``model``."""
        return [waiting.ticket for waiting in self._by_ticket.values() if waiting.model == model]

    def wanted(self) -> set[str]:
        """The models that somebody waits for."""
        return {waiting.model for waiting in self._line}

    def place(self, ticket: int) -> int | None:
        """Place counted from 1, or None when the ticket does not wait."""
        places = (n for n, waiting in enumerate(self._line, 1) if waiting.ticket == ticket)
        return next(places, None)

    def place_of(self, model: str) -> int | None:
        """Place of the first request that waits for ``model``."""
        places = (n for n, waiting in enumerate(self._line, 1) if waiting.model == model)
        return next(places, None)

    def turns(self, first: str) -> list[Waiting]:
        """Everybody in the order of service: who waits for ``first``, the overdue, the others."""

        def key(waiting: Waiting) -> tuple[bool, tuple[int, ...]]:
            order = (0, waiting.order[1]) if waiting.overdue else (1, *waiting.order)
            return waiting.model != first, order

        return sorted(self._line, key=key)

    def overdue(self) -> set[str]:
        """The models that somebody has waited too long for."""
        return {waiting.model for waiting in self._line if waiting.overdue}

    def age(self, now: float, max_wait: float) -> bool:
        """Mark who has become overdue; whether there is anybody."""
        late = [w for w in self._line if not w.overdue and now >= w.since + max_wait]
        for waiting in late:
            waiting.overdue = True
        return bool(late)

    def timed_out(self, now: float, queue_timeout: float) -> list[Waiting]:
        """Who has waited longer than a client may; a mere load has nobody who would be told."""
        return [w for w in self._line if w.uses and now >= w.since + queue_timeout]

    def deadlines(self, limits: Limits) -> Iterator[float]:
        """When ``age`` and ``timed_out`` have something to say."""
        for waiting in self._line:
            if limits.max_wait and not waiting.overdue:
                yield waiting.since + limits.max_wait
            if limits.queue_timeout and waiting.uses:
                yield waiting.since + limits.queue_timeout
