"""The ladder of automatic routing as it is now: without tiers that cannot answer."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from llmstack.errors import Forbidden, NothingAvailable
from llmstack.routing import UNKNOWN, ladder, route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.config.stack import Routing, Stack
    from llmstack.dialects import RequestView
    from llmstack.routing import Kind, Ladder, Machine, Mode, Routed, SessionState


class Unavailable(NamedTuple):
    """Why a tier cannot answer, in short ASCII, and for how many seconds; 0 is not known."""

    why: str
    retry_in: float = 0.0


class Ladders:
    """``whole`` is the ladder with all tiers; ``unavailable`` says which cannot answer now."""

    def __init__(
        self, stack: Stack, whole: Ladder, unavailable: Callable[[], Mapping[str, Unavailable]]
    ) -> None:
        self.stack = stack
        self.whole = whole
        self._unavailable = unavailable
        self._missing: Mapping[str, str] = {}
        self._now = whole
        #: The same for clients that may not use some tiers.
        self._barred: dict[frozenset[str], Ladder] = {}

    def route(
        self,
        view: RequestView,
        machine: Machine = UNKNOWN,
        state: SessionState | None = None,
        parent: SessionState | None = None,
        *,
        kind: Kind = "turn",
        mode: Mode = "",
        barred: frozenset[str] = frozenset(),
    ) -> Routed:
        """Choose the tier that answers ``view``, of those that can and are not ``barred``.

        See ``routing.route`` for the rest.

        Raises:
            Forbidden: the client may use none of the tiers.
            ModelNotFound: no tier can be chosen automatically.
            NothingAvailable: those that could cannot answer now.
        """
        unavailable = self._unavailable()
        self._look(unavailable)
        now = self._for(barred) if barred else self._now
        try:
            return route(view, now, state, machine, kind=kind, mode=mode, parent=parent)
        except NothingAvailable as error:
            waits = [one.retry_in for one in unavailable.values() if one.retry_in > 0]
            error.retry_after = ceil(min(waits)) if waits else None
            raise

    def unavailable(self) -> Mapping[str, Unavailable]:
        """The tiers that cannot answer now."""
        return self._unavailable()

    def now(self) -> Ladder:
        """The ladder without them."""
        self._look(self._unavailable())
        return self._now

    def adopt(self, routing: Routing) -> None:
        """Go by other numbers from now on."""
        self.stack = replace(self.stack, routing=routing)
        self.whole = ladder(self.stack)
        self._now = ladder(self.stack, self._missing) if self._missing else self.whole
        self._barred.clear()

    def _look(self, unavailable: Mapping[str, Unavailable]) -> None:
        missing = {tier: one.why for tier, one in unavailable.items()}
        if missing != self._missing:
            self._now = ladder(self.stack, missing) if missing else self.whole
            self._missing = missing
            self._barred.clear()

    def _for(self, barred: frozenset[str]) -> Ladder:
        if (found := self._barred.get(barred)) is None:
            found = self._barred[barred] = ladder(self.stack, self._missing, barred)
        if not found.rungs and not found.missed:
            raise Forbidden(
                "forbidden: this API key may use none of the tiers that auto chooses from",
                fix="Name a model that the key is for.",
            )
        return found
