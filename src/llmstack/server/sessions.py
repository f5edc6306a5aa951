"""The sessions that routing remembers: hashed names, models, token counts, and no words."""

from __future__ import annotations

from collections import Counter, OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstack.routing import SessionState

#: Sessions that are remembered; the one not seen for longest goes first.
MOST: Final = 1000
#: Seconds for which a session is taken to still want the model that it used.
LATELY: Final = 300.0
#: Sessions that are looked at to find out who uses what.
_LOOKED_AT: Final = 50


class Sessions:
    """The state of each session by its key. ``now`` is any clock in seconds."""

    def __init__(self, now: Callable[[], float], most: int = MOST) -> None:
        self._now = now
        self._most = most
        self._states: OrderedDict[bytes, tuple[SessionState, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, key: bytes | None) -> SessionState | None:
        """The state of a session, None for one that is new or forgotten."""
        if key is None:
            return None
        found = self._states.get(key)
        return found[0] if found else None

    def keep(self, key: bytes, state: SessionState) -> None:
        """Remember a session."""
        self._states[key] = (state, self._now())
        self._states.move_to_end(key)
        if len(self._states) > self._most:
            self._states.popitem(last=False)

    def latest(self, most: int) -> Iterator[tuple[bytes, SessionState, float]]:
        """The sessions that were seen last, the latest first: key, state, seconds since then."""
        now = self._now()
        for key, (state, seen) in islice(reversed(self._states.items()), most):
            yield key, state, now - seen

    def users(self, but: bytes) -> Counter[str]:
        """How many sessions other than ``but`` have used each model lately."""
        found: Counter[str] = Counter()
        since = self._now() - LATELY
        for looked, (key, (state, seen)) in enumerate(reversed(self._states.items())):
            if seen < since or looked >= _LOOKED_AT:
                break
            if key != but and state.at:
                found[state.at] += 1
        return found
