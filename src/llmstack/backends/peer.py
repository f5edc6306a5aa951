"""Another llmstack or llama-swap: its models, and every path that it has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.backends.hops import HEADER, stepped
from llmstack.backends.http_backend import HttpBackend
from llmstack.backends.peer_models import peer_models
from llmstack.backends.protocol import Upstream
from llmstack.backends.swap_peer import SwapPeer
from llmstack.config.hosted import Hosted
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from llmstack.backends.protocol import Answer, Ask, Backend, House, Offered
    from llmstack.config.swap import Peer


class PeerBackend(HttpBackend):
    """A server like this one. What it does not speak itself is translated, as for any other."""

    def __init__(self, upstream: Upstream, house: House) -> None:
        super().__init__(upstream, house)
        hosted = upstream.hosted
        headers = (*hosted.headers, (HEADER.decode(), "1"))
        self._lists = HttpBackend(replace(upstream, hosted=replace(hosted, headers=headers)), house)

    async def open(self, ask: Ask) -> Answer:
        """Send a request and wait for the beginning of its answer.

        Raises:
            RequestError: nothing of an answer has come; 508 if it went round in a circle.
        """
        return await super().open(stepped(ask))

    async def models(self) -> tuple[Offered, ...]:
        """Its own models.

        Raises:
            BackendFailed: it cannot be asked, or does not list any.
        """
        body = await self._lists.fetch(self.address.url, b"/models")
        try:
            return peer_models(body)
        except ValueError as error:
            raise BackendFailed(
                f"{self.upstream.name} does not list its models: {error}", elsewhere=True
            ) from None


def peer(upstream: Upstream, house: House) -> Backend:
    """The backend for a section with ``backend = peer``."""
    return PeerBackend(upstream, house)


def peer_of(told: Peer, house: House) -> SwapPeer:
    """The backend of a peer of a llama-swap configuration.

    Its key is written there and not in the environment, so the house that the backend gets has an
    environment with the key in it, under a name that no variable has.
    """
    variable = f"peers.{told.id}.apiKey" if told.api_key else ""
    environ = {variable: told.api_key} if variable else {}
    timeouts = told.timeouts
    hosted = Hosted(
        "peer",
        base_url=told.proxy,
        api_key_env=variable,
        connect_timeout=timeouts.connect,
        first_byte_timeout=timeouts.response_header,
        idle_timeout=0,
        retries=0,
    )
    lists = PeerBackend(Upstream(told.id, hosted), replace(house, environ=environ))
    return SwapPeer(told, house, lists)
