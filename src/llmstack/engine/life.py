"""The present life of one model's process, as the scheduler keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.engine.plan import State

if TYPE_CHECKING:
    from llmstack.config.swap import SwapModel
    from llmstack.engine.queue import Limits


@dataclass(slots=True)
class Life:
    """``runs`` is the entry its process was started from; ``leaving`` why it stops once idle.

    ``used`` says that it served somebody, ``settled`` that ``min_residency`` is over.
    """

    state: State = State.STOPPED
    generation: int = 0
    in_flight: int = 0
    admitted: int = 0
    ready_since: float = 0.0
    idle_since: float = 0.0
    used: bool = False
    settled: bool = True
    leaving: str = ""
    runs: SwapModel | None = None

    @property
    def fresh(self) -> bool:
        """Whether it is ready and ``min_residency`` is not over."""
        return self.state is State.READY and not self.settled

    @property
    def protected(self) -> bool:
        """Whether a swap must let it be for now."""
        return self.fresh and self.used and not self.leaving

    def settle(self, now: float, limits: Limits) -> bool:
        """End the protection if it is over; whether it ended now."""
        if self.settled or now < self.ready_since + limits.min_residency:
            return False
        self.settled = True
        return True


@dataclass(frozen=True, slots=True)
class Holder:
    """What a granted ticket holds. ``uses`` is false for one that only wanted it loaded."""

    model: str
    generation: int
    uses: bool = True


def same_process(one: SwapModel, other: SwapModel) -> bool:
    """Whether a process started for ``one`` can serve ``other`` as it is."""
    return (one.cmd, one.env, one.proxy, one.check_endpoint, one.cmd_stop) == (
        other.cmd,
        other.env,
        other.proxy,
        other.check_endpoint,
        other.cmd_stop,
    )
