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

#: Turns that may be under way at the same time, per session.
_TURNS: Final = 4
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

    ``turns`` are the latest ones, newest first, each with the model that answers it: sub-agents of
    some clients speak in their parent's name, so that several may be under way. ``home`` is the
    model that answered the last turn for which nobody asked for a certain one: that is where the
    session stays if a switch is too dear. ``at`` is the model that was used last, whoever chose it.
    ``cached`` says what models have read.
    """

    home: str = ""
    turns: tuple[tuple[Turn, str], ...] = ()
    at: str = ""
    cached: tuple[Cached, ...] = ()

    @property
    def model(self) -> str:
        """The model of the newest turn, empty before there is one."""
        return self.turns[0][1] if self.turns else ""

    @property
    def turn(self) -> Turn | None:
        """The newest turn."""
        return self.turns[0][0] if self.turns else None

    def continued(self, turn: Turn) -> str:
        """The model of the turn that a continuation belongs to, empty for an unknown one."""
        for held, model in self.turns:
            if held.said == turn.said:
                return model
        return next((model for held, model in self.turns if held.number == turn.number), "")

    def decided(
        self, decision: Decision, turn: Turn, machine: Machine, *, keeps_home: bool
    ) -> SessionState:
        """The session after ``decision`` for a turn."""
        home = self.home if keeps_home else decision.model
        others = tuple(one for one in self.turns if one[0].said != turn.said)
        turns = ((turn, decision.model), *others)[:_TURNS]
        after = replace(self, home=home, turns=turns)
        return after.used(decision.model, decision.tokens, machine)

    def used(self, model: str, tokens: int, machine: Machine) -> SessionState:
        """The session after ``model`` has read a prompt of ``tokens`` of it."""
        others = tuple(one for one in self.cached if one.model != model)
        newest = Cached(model, tokens, machine[model].load)
        return replace(self, at=model, cached=(newest, *others)[:_MODELS])


def turn_of(view: RequestView, mode: Mode = "") -> Turn:
    """The turn that a request belongs to."""
    # The built-in hash is salted anew for every process, so it says nothing to anybody else.
    return Turn(view.user_turns, hash(view.last_user), view.has_tools, mode)
