"""What is remembered of a session between its requests, and what a turn of the user's is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

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


class Turn(msgspec.Struct, frozen=True):
    """One turn of the user's, as the requests of it look: nothing of its words is kept."""

    number: int
    said: int
    tools: bool
    mode: Mode = ""

    def may_go_on_as(self, other: Turn) -> bool:
        """Whether a terse follow-up may stay: the client has not changed what it wants."""
        return self.tools == other.tools and (self.mode or "build") == (other.mode or "build")


class SessionState(msgspec.Struct, frozen=True):
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
        model = decision.model
        home = self.home if keeps_home else model
        others = [one for one in self.turns if one[0].said != turn.said]
        turns = ((turn, model), *others)[:_TURNS]
        return SessionState(home, turns, model, self._read(model, decision.tokens, machine))

    def used(self, model: str, tokens: int, machine: Machine) -> SessionState:
        """The session after ``model`` has read a prompt of ``tokens`` of it."""
        return SessionState(self.home, self.turns, model, self._read(model, tokens, machine))

    def _read(self, model: str, tokens: int, machine: Machine) -> tuple[Cached, ...]:
        """``cached`` after ``model`` has read a prompt of ``tokens``."""
        others = [one for one in self.cached if one.model != model]
        newest = Cached(model, tokens, machine[model].load)
        return (newest, *others)[:_MODELS]


def turn_of(view: RequestView, mode: Mode = "") -> Turn:
    """The turn that a request belongs to."""
    # The built-in hash is salted anew for every process, so it says nothing to anybody else.
    return Turn(view.user_turns, hash(view.last_user), view.has_tools, mode)
