"""What is remembered of a session between its requests, and what a turn of the user's is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from llmstack.routing.price import Cached

if TYPE_CHECKING:
    from llmstack.dialects import RequestView
    from llmstack.routing.decision import Decision
    from llmstack.routing.kind import Mode
    from llmstack.routing.price import Machine

#: Models whose cached prompt is remembered, per session.
_MODELS: Final = 4


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the user's, as the requests of it look: nothing of its words is kept."""

    number: int
    said: int
    tools: bool
    mode: Mode = ""

    def may_go_on_as(self, other: Turn) -> bool:
        """Whether a terse follow-up may stay: the client has not changed what it wants."""
        return self.tools == other.tools and (self.mode or "build") == (other.mode or "build")


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session.

    ``model`` answers the present ``turn``. ``home`` is the model that answered the last turn for
    which nobody asked for a certain one: that is where the session stays if a switch is too dear.
    ``at`` is the model that was used last, whoever chose it. ``cached`` says what models have read.
    """

    model: str = ""
    home: str = ""
    turn: Turn | None = None
    at: str = ""
    cached: tuple[Cached, ...] = ()

    def decided(
        self, decision: Decision, turn: Turn, machine: Machine, *, keeps_home: bool
    ) -> SessionState:
        """The session after ``decision`` for a turn."""
        home = self.home if keeps_home else decision.model
        return replace(self, model=decision.model, home=home, turn=turn).used(
            decision.model, decision.tokens, machine
        )

    def used(self, model: str, tokens: int, machine: Machine) -> SessionState:
        """The session after ``model`` has read a prompt of ``tokens`` of it."""
        others = tuple(one for one in self.cached if one.model != model)
        newest = Cached(model, tokens, machine[model].load)
        return replace(self, at=model, cached=(newest, *others)[:_MODELS])


def turn_of(view: RequestView, mode: Mode = "") -> Turn:
    """The turn that a request belongs to."""
    # The built-in hash is salted anew for every process, so it says nothing to anybody else.
    return Turn(view.user_turns, hash(view.last_user), view.has_tools, mode)
