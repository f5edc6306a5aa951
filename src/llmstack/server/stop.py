"""One place where a request may end, with the request as that place is to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llmstack.backends.protocol import Ask
from llmstack.errors import (
    BackendFailed,
    ConcurrencyLimit,
    NoRoom,
    PeerUnreachable,
    QueueTimeout,
    StartFailed,
    UpstreamUnreachable,
)
from llmstack.server.meter import readable_headers
from llmstack.server.upstream import raw_target, request_headers

if TYPE_CHECKING:
    from llmstack.backends.protocol import Backend, Waiting
    from llmstack.errors import RequestError
    from llmstack.server.asgi import Scope

#: The kind of a model that runs here.
LOCAL = "local"
#: Failures of a model that runs here which another one need not share.
_ELSEWHERE = (
    ConcurrencyLimit,
    NoRoom,
    PeerUnreachable,
    QueueTimeout,
    StartFailed,
    UpstreamUnreachable,
)


class Stop(msgspec.Struct, frozen=True):
    """A place.

    ``name`` is the one name of the model, for answers, log and records; ``kind`` that of the
    backend; ``model`` what the backend calls it. ``scope`` and ``body`` are the request as the
    backend may see it, ``raw_path`` takes the place of the scope's. ``tier`` is the tier that the
    model is, if it is one. ``announced`` allows a waiting client to be told that the model loads,
    ``fitted`` the request to be made to fit the model's window.
    """

    name: str
    kind: str
    backend: Backend
    model: str
    scope: Scope
    body: bytes
    raw_path: bytes | None = None
    tier: str = ""
    stream: bool = False
    announced: bool = False
    fitted: bool = False

    @property
    def known_as(self) -> str:
        """The name under which things are remembered: one program may serve several tiers."""
        return self.tier or self.name

    @property
    def path(self) -> str:
        """The API's path."""
        raw = self.raw_path
        path: str = self.scope["path"] if raw is None else raw.decode("latin-1")
        return path

    def ask(self, waiting: Waiting, *, recorded: bool) -> Ask:
        """The request for the backend. One that is ``recorded`` must have a readable answer."""
        scope, raw_path = self.scope, self.raw_path
        headers = request_headers(scope)
        return Ask(
            scope["method"],
            self.path,
            raw_target(scope, raw_path),
            readable_headers(headers) if recorded else headers,
            self.body,
            self.model,
            self.name,
            self.stream,
            waiting,
        )

    def broke_off(self, why: str) -> RequestError:
        """The error for an answer that ended too soon."""
        if self.kind == LOCAL:
            return UpstreamUnreachable("the model process broke off its answer", why=why)
        if self.kind == "peer":
            return PeerUnreachable(f"peer proxy error: {why}")
        return BackendFailed(f"{self.name} broke off its answer", why=why)


def may_go_elsewhere(error: RequestError) -> bool:
    """Whether another model may well answer what failed like this."""
    if isinstance(error, BackendFailed):
        return error.elsewhere
    return isinstance(error, _ELSEWHERE)
