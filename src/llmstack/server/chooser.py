"""Who answers ``auto``: routing's choice with what the daemon knows of sessions and models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llmstack.engine import State
from llmstack.routing import (
    NOWHERE,
    Choice,
    Machine,
    Place,
    client_of,
    kind_of,
    mode_of,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects import RequestView
    from llmstack.engine import Engine
    from llmstack.server.asgi import Headers
    from llmstack.server.ladders import Ladders
    from llmstack.server.sessions import Sessions
    from llmstack.server.speeds import Speeds


class _Places(dict[str, Place]):
    """Models that are looked at when somebody asks, and then once: most decisions ask for one."""

    def __init__(self, look: Callable[[str], Place]) -> None:
        super().__init__()
        self._look = look

    def __missing__(self, model: str) -> Place:
        place = self[model] = self._look(model)
        return place


class Asker(NamedTuple):
    """Who asks: the digest of the API key (empty without one), and tiers that it is not for."""

    key: bytes = b""
    barred: frozenset[str] = frozenset()


#: A stack without keys.
ANYBODY: Final = Asker()

#: A model of somebody else's.
_HOSTED: Final = Place(ready=True, hosted=True)

#: APIs whose requests belong to a session.
_TALKS = frozenset(("chat", "responses", "messages"))


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

    def choose(
        self, view: RequestView, path: str, headers: Headers, asker: Asker = ANYBODY
    ) -> Choice:
        """The model for a request that leaves the choice to us.

        The errors are those of ``Ladders.route``.
        """
        choice = self.explain(view, path, headers, asker)
        # Side work that belongs to no session leaves nothing behind.
        if self._remembers(view) and choice.routed.state.at:
            self._sessions.keep(choice.client.session, choice.routed.state)
        return choice

    def explain(
        self, view: RequestView, path: str, headers: Headers, asker: Asker = ANYBODY
    ) -> Choice:
        """``choose``, and nothing is remembered of it."""
        client = client_of(view, headers, asker.key)
        kind, mode = kind_of(view, path, client.declared), mode_of(view, client.declared)
        state = parent = None
        if self._remembers(view):
            state = self._sessions.get(client.session)
            parent = self._sessions.get(client.parent)
        routed = self._ladders.route(
            view,
            self.machine(client.session),
            state,
            parent,
            kind=kind,
            mode=mode,
            barred=asker.barred,
        )
        return Choice(routed, client, kind, mode)

    def named(
        self, view: RequestView, path: str, headers: Headers, asker: Asker = ANYBODY
    ) -> bytes:
        """Take note of a request that names its model; the key of its session, if it has one."""
        model = self._tiers.get(view.model or "")
        if not model or not self._remembers(view):
            return b""
        client = client_of(view, headers, asker.key)
        kind = kind_of(view, path, client.declared)
        machine = Machine({model: Place(load=self._speeds.of(model).loads)})
        state = named(model, view, self._sessions.get(client.session), machine, kind)
        if state:
            self._sessions.keep(client.session, state)
        return client.session

    def machine(self, session: bytes) -> Machine:
        """The models as they are now, for one decision of ``session``, made at once."""
        return Machine(_Places(self._place), lambda: self._sessions.users(session))

    def _place(self, name: str) -> Place:
        if self._hosted(name):
            return _HOSTED
        if name not in self._engine.config.models:
            return NOWHERE  # with engine = llama-swap nobody tells what is loaded
        speed, outlook = self._speeds.of(name), self._engine.outlook(name)
        return Place(
            ready=outlook.state is State.READY,
            loading=outlook.state is State.STARTING,
            busy=outlook.busy,
            load_seconds=speed.load_seconds,
            prefill=speed.prefill,
            evicts=outlook.evicts,
            load=speed.loads,
        )

    def _remembers(self, view: RequestView) -> bool:
        return self._ladders.whole.sticky and view.dialect in _TALKS
