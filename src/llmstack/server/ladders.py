"""The ladder of automatic routing as it is now: without tiers that cannot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.routing import ladder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.config.stack import Stack
    from llmstack.routing import Ladder


class Ladders:
    """``whole`` is the ladder with all tiers; ``unavailable`` says which cannot answer, and why."""

    def __init__(
        self, stack: Stack, whole: Ladder, unavailable: Callable[[], Mapping[str, str]]
    ) -> None:
        self._stack = stack
        self.whole = whole
        self._unavailable = unavailable
        self._missing: Mapping[str, str] = {}
        self._now = whole

    def now(self) -> Ladder:
        """The ladder that holds at this moment."""
        missing = self._unavailable()
        if missing != self._missing:
            self._now = ladder(self._stack, missing) if missing else self.whole
            self._missing = missing
        return self._now
