"""Whether an upstream is asked at all: a circuit breaker over injected time.

Closed, it lets everybody in. After ``limit`` failures in a row it opens: nobody is let in until its
rest is over, then one at a time is (half-open) until one of them succeeds. Every failure of such a
probe doubles the rest. A model that asked for patience (429 with Retry-After) is left alone for
that time, which says nothing of the others behind the same door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

#: Failures in a row after which the circuit opens.
LIMIT = 5
#: Seconds of the first rest, and of the longest.
REST, LONGEST_REST = 10.0, 300.0
#: Seconds for which a model is left alone at most, whatever the upstream asks for.
LONGEST_HOLD = 600.0
#: Models whose holds are remembered; more than one upstream has.
_HELD = 1000


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody is let in for ``wait`` more seconds (0: until a probe that is out has come back)."""

    reason: Literal["circuit", "hold"]
    wait: float


class Pass:
    """One request that was let in. What becomes of it is told once; later words are ignored."""

    __slots__ = ("_breaker", "_generation", "_settled", "probe")

    def __init__(self, breaker: Breaker, generation: int, *, probe: bool) -> None:
        self._breaker = breaker
        self._generation = generation
        self._settled = False
        #: Whether the circuit depends on this one.
        self.probe = probe

    def succeeded(self) -> None:
        """The upstream answered; that it refused the request is an answer too."""
        self._settle("succeeded")

    def failed(self) -> None:
        """No connection, no answer in time, or an error of the upstream's own."""
        self._settle("failed")

    def left(self) -> None:
        """Nobody knows: the client went away before there was an answer."""
        self._settle("left")

    def _settle(self, outcome: Literal["succeeded", "failed", "left"]) -> None:
        if not self._settled:
            self._settled = True
            self._breaker._told(outcome, self._generation)  # noqa: SLF001  its own half


class Breaker:
    """The door of one upstream. ``now`` is monotonic seconds, ``random`` gives [0, 1)."""

    def __init__(
        self,
        now: Callable[[], float],
        random: Callable[[], float],
        *,
        limit: int = LIMIT,
        rest: float = REST,
        longest: float = LONGEST_REST,
    ) -> None:
        self._now = now
        self._random = random
        self._limit = limit
        self._first = rest
        self._longest = longest
        self._failures = 0  # in a row
        self._rest = rest  # how long the next rest is, before jitter
        self._until: float | None = None  # None while closed
        self._probing = False
        # What was let in before the circuit opened or closed says nothing of the time after.
        self._generation = 0
        self._holds: dict[str, float] = {}

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """``open`` while nobody is let in for a known time."""
        if self._until is None:
            return "closed"
        return "open" if self._now() < self._until else "half-open"

    @property
    def admits(self) -> bool:
        """Whether who comes now is let in: not while open, nor while a probe is out."""
        return self.state != "open" and not self._probing

    @property
    def wait(self) -> float:
        """Seconds until somebody may be let in; 0 when that may be now."""
        return 0.0 if self._until is None else max(0.0, self._until - self._now())

    def enter(self, model: str = "") -> Pass | Refused:
        """Ask to be let in, for ``model``. A ``Pass`` must be told what became of it."""
        held = self._holds.get(model)
        if held is not None:
            if (left := held - self._now()) > 0:
                return Refused("hold", left)
            del self._holds[model]
        match self.state:
            case "closed":
                return Pass(self, self._generation, probe=False)
            case "open":
                return Refused("circuit", self.wait)
        if self._probing:
            return Refused("circuit", 0.0)
        self._probing = True
        return Pass(self, self._generation, probe=True)

    def held(self, model: str) -> float:
        """Seconds for which ``model`` is not asked because of ``hold``; 0 if it may be."""
        return max(0.0, self._holds.get(model, 0.0) - self._now())

    def hold(self, model: str, seconds: float) -> None:
        """Leave ``model`` alone for a while: the upstream asked for it."""
        until = self._now() + min(max(0.0, seconds), LONGEST_HOLD)
        self._holds.pop(model, None)
        while len(self._holds) >= _HELD:
            del self._holds[next(iter(self._holds))]
        self._holds[model] = until

    def _told(self, outcome: Literal["succeeded", "failed", "left"], generation: int) -> None:
        if generation != self._generation:
            return
        if outcome == "left":
            self._probing = False
        elif outcome == "succeeded":
            self._generation += self._probing
            self._probing = False
            self._failures = 0
            self._rest = self._first
            self._until = None
        else:
            self._failures += 1
            if self._probing or self._failures >= self._limit:
                self._open()

    def _open(self) -> None:
        # Jitter, so that those who share an upstream do not come back all at once.
        self._until = self._now() + self._rest * (0.75 + self._random() / 2)
        self._rest = min(self._rest * 2, self._longest)
        self._failures = 0
        self._probing = False
        self._generation += 1
