"""A peer of a llama-swap configuration: everything passes as it is, errors too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmstack.backends.breaker import Refused
from llmstack.backends.hops import stepped
from llmstack.backends.limits import limits_of
from llmstack.errors import BackendFailed
from llmstack.http1 import Unreachable

if TYPE_CHECKING:
    from llmstack.backends.peer import PeerBackend
    from llmstack.backends.protocol import Answer, Ask, Headers, Health, House, Offered
    from llmstack.config.swap import Peer

_KEYS = frozenset({b"authorization", b"x-api-key"})
#: The client's headers that are between it and us; the peer's own Host goes out instead.
_OURS = frozenset({b"host", b"forwarded"})


class SwapPeer:
    """The way to a peer that has a breaker: one that is gone is not waited for again and again.

    Filters have been applied and the name has been put into the body. What the peer answers,
    whatever its status, is an answer: only one that cannot be reached counts against it.
    ``lists`` asks it for its models.
    """

    def __init__(self, peer: Peer, house: House, lists: PeerBackend) -> None:
        self._peer = peer
        self._house = house
        self._lists = lists
        self._standing = lists.standing

    async def open(self, ask: Ask) -> Answer:
        """Send a request and wait for the beginning of its answer.

        Raises:
            BackendFailed: the peer cannot be reached, or the request went round in a circle.
        """
        ask = stepped(ask)
        standing = self._standing
        entry = standing.breaker.enter(ask.model)
        if isinstance(entry, Refused):
            raise BackendFailed(
                f"peer proxy error: {self._peer.id} is not asked for now",
                status=503,
                code="circuit_open",
                retry_after=entry.wait or 1.0,
                elsewhere=True,
                why=standing.problem_of(self._peer.id),
            )
        try:
            response = await self._house.pool.request(
                ask.method,
                self._peer.proxy.rstrip("/"),
                ask.target,
                self._headers(ask),
                ask.body,
                limits_of(self._peer.timeouts),
            )
        except Unreachable as error:
            standing.answered, standing.problem = False, f"cannot be reached: {error}"
            entry.failed()
            raise _unreachable(str(error)) from error
        else:
            standing.answered, standing.problem = True, ""
            entry.succeeded()
        finally:
            entry.left()  # says nothing if something has been said
        return response

    async def models(self) -> tuple[Offered, ...]:
        """Its own models.

        Raises:
            BackendFailed: it cannot be asked, or does not list any.
        """
        return await self._lists.models()

    def health(self) -> Health:
        """How it is, as far as its last answers tell."""
        return self._lists.health()

    async def close(self) -> None:
        """Nothing of its own is held: the house closes its connections."""

    def _headers(self, ask: Ask) -> Headers:
        return peer_headers(self._peer, ask.headers)


def peer_headers(peer: Peer, headers: Headers) -> Headers:
    """A client's ``headers`` as ``peer`` gets them, with its own key if it has one."""
    key = peer.api_key.encode()
    dropped = _OURS | _KEYS if key else _OURS
    kept = [
        pair
        for pair in headers
        if pair[0] not in dropped and not pair[0].startswith(b"x-forwarded-")
    ]
    if key:
        kept += [(b"authorization", b"Bearer " + key), (b"x-api-key", key)]
    return kept


def _unreachable(why: str) -> BackendFailed:
    fix = ""
    if sys.platform == "darwin":
        fix = "On macOS, allow local network access: System Settings, Privacy, Local Network."
    return BackendFailed(f"peer proxy error: {why}", elsewhere=True, fix=fix)
