"""Who answers ``auto``: routing's choice with what the daemon knows of sessions and models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmstack.engine import State
from llmstack.routing import (
    Client,
    Machine,
    Place,
    Routed,
    client_of,
    kind_of,
    mode_of,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects import RequestView
    from llmstack.engine import Engine
    from llmstack.routing import Kind, Ladder, Mode
    from llmstack.server.asgi import Headers
    from llmstack.server.ladders import Ladders
    from llmstack.server.sessions import Sessions
    from llmstack.server.speeds import Speeds

#: APIs whose requests belong to a session.
_TALKS = frozenset(("chat", "responses", "messages"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and what for."""

    routed: Routed
    client: Client
    kind: Kind
    mode: Mode

    def report(self) -> dict[str, Any]:
        """What ``GET /api/route`` answers: nothing in it says who the client is."""
        decision = self.routed.decision
        return {
            "model": decision.model,
            "reason": decision.reason,
            "tokens": decision.tokens,
            "session": self.client.shown,
            "subagent": self.client.is_subagent,
            "kind": self.kind,
            "mode": self.mode,
            "rule": decision.rule,
            "role": decision.role,
            "tried": list(decision.tried),
            "prices": [
                {
                    "stay": price.stay,
                    "target": price.target,
                    "seconds": round(price.seconds, 1),
                    "worth": round(price.worth, 1),
                }
                for price in self.routed.prices
            ],
        }


class Chooser:
    """``hosted`` says of a tier whether others host it."""

    def __init__(
        self,
        ladders: Ladders,
        sessions: Sessions,
        engine: Engine,
        speeds: Speeds,
        hosted: Callable[[str], bool],
    ) -> None:
        self._ladders = ladders
        self._sessions = sessions
        self._engine = engine
        self._speeds = speeds
        self._hosted = hosted
        self._tiers = {
            name: tier.name for tier in ladders.stack.tiers for name in (tier.name, *tier.aliases)
        }

    def choose(self, view: RequestView, path: str, headers: Headers) -> Choice:
        """The model for a request that leaves the choice to us.

        The errors are those of ``Ladders.route``.
        """
        choice = self.explain(view, path, headers)
        if self._remembers(view):
            self._sessions.keep(choice.client.session, choice.routed.state)
        return choice

    def explain(self, view: RequestView, path: str, headers: Headers) -> Choice:
        """``choose``, and nothing is remembered of it."""
        client = client_of(view, headers)
        kind, mode = kind_of(view, path, client.declared), mode_of(view, client.declared)
        state = parent = None
        if self._remembers(view):
            state = self._sessions.get(client.session)
            parent = self._sessions.get(client.parent)
        routed = self._ladders.route(
            view,
            lambda ladder: self.machine(ladder, client.session),
            state,
            parent,
            kind=kind,
            mode=mode,
        )
        return Choice(routed, client, kind, mode)

    def named(self, view: RequestView, path: str, headers: Headers) -> None:
        """Take note of a request that names its model."""
        model = self._tiers.get(view.model or "")
        if not model or not self._remembers(view):
            return
        client = client_of(view, headers)
        kind = kind_of(view, path, client.declared)
        machine = Machine({model: Place(load=self._speeds.of(model).loads)})
        state = named(model, view, self._sessions.get(client.session), machine, kind)
        if state:
            self._sessions.keep(client.session, state)

    def machine(self, ladder: Ladder, session: bytes) -> Machine:
        """The models of ``ladder`` as they are now, for a decision of ``session``."""
        users = self._sessions.users(session)
        names = {rung.model for rung in ladder.rungs.values()}
        return Machine({name: self._place(name, users[name]) for name in names if self._ours(name)})

    def _ours(self, name: str) -> bool:
        # With engine = llama-swap nobody tells what is loaded.
        return name in self._engine.config.models or self._hosted(name)

    def _place(self, name: str, users: int) -> Place:
        if self._hosted(name):
            return Place(ready=True, hosted=True, users=users)
        speed, outlook = self._speeds.of(name), self._engine.outlook(name)
        return Place(
            ready=outlook.state is State.READY,
            loading=outlook.state is State.STARTING,
            busy=outlook.busy,
            users=users,
            load_seconds=speed.load_seconds,
            prefill=speed.prefill,
            evicts=outlook.evicts,
            load=speed.loads,
        )

    def _remembers(self, view: RequestView) -> bool:
        return self._ladders.whole.sticky and view.dialect in _TALKS
