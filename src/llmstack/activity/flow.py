"""How fast answers flow now, from the bytes that have passed. For one event loop.

Nothing is computed while nobody looks; an answer that ends leaves behind how many bytes a token of
its model took.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds over which a speed is taken.
WINDOW: Final = 3.0
#: Seconds after a look in which answers that end are still counted.
WATCHED: Final = 10.0
#: Bytes of a stream's token before the first answer of a model has ended: an event of llama-server.
USUAL: Final = 220.0
#: Models whose bytes per token are remembered.
MOST: Final = 512


class Flowing(NamedTuple):
    """An answer that is being streamed: ``bytes`` of it have passed, the first one at ``first``."""

    number: int
    model: str
    bytes: int
    first: float


class Flow:
    """Tokens per second of each model over the last ``WINDOW`` seconds; ``now`` is any clock.

    The tokens of an answer that still runs are estimated from its bytes and from what a token took
    in the last answer of that model. One that is seen for the first time counts with its mean speed
    so far. What ended is counted as its model told it; an answer in one piece is taken to have been
    written evenly since the model began with it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sizes: dict[str, float] = {}
        self._counted: dict[int, float] = {}
        self._written: deque[tuple[float, str, float]] = deque()
        self._looked_at = float("-inf")
        #: Whether anybody has looked lately.
        self.watched = False

    def learn(self, model: str, size: int, tokens: int) -> None:
        """A stream of ``size`` bytes had ``tokens``, at least one."""
        sizes = self._sizes
        sizes[model] = size / tokens if size > tokens else 1.0
        if len(sizes) > MOST:
            del sizes[next(iter(sizes))]

    def ended(self, number: int, model: str, tokens: int, seconds: float) -> None:
        """An answer of ``tokens`` has ended, ``seconds`` after its model began to work on it.

        To be told while somebody looks (``watched``).
        """
        counted = self._counted.pop(number, 0.0)
        now = self._now()
        if now - self._looked_at > WATCHED:
            self.watched = False
            return
        rest = tokens - counted if counted else tokens * _share(seconds)
        if rest > 0:
            self._written.append((now, model, rest))

    def look(self, answers: Iterable[Flowing]) -> dict[str, float]:
        """Tokens per second by model, for those that write; ``answers`` are all that run."""
        now = self._looked_at = self._now()
        self.watched = True
        seen: dict[int, float] = {}
        for answer in answers:
            tokens = answer.bytes / self._sizes.get(answer.model, USUAL)
            before = self._counted.get(answer.number)
            new = tokens * _share(now - answer.first) if before is None else tokens - before
            seen[answer.number] = tokens
            if new > 0:
                self._written.append((now, answer.model, new))
        self._counted = seen
        while self._written and now - self._written[0][0] >= WINDOW:
            self._written.popleft()
        rates: dict[str, float] = {}
        for _, model, tokens in self._written:
            rates[model] = rates.get(model, 0.0) + tokens / WINDOW
        return rates


def _share(seconds: float) -> float:
    """The part of ``seconds`` until now that is in the window."""
    return 1.0 if seconds <= WINDOW else WINDOW / seconds
