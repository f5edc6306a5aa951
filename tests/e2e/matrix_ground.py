"""One running stack with a model at every place, its clients, and what it has logged."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import anthropic
import openai

from tests.e2e.matrix_clients import Chat, Completions, Messages, Responses
from tests.e2e.matrix_hosted import (
    CREDENTIALS,
    BedrockPlace,
    OllamaPlace,
    OpenAIPlace,
    elsewhere,
    hosted_tiers,
)
from tests.e2e.matrix_places import Tiny, soon, tiny_tiers
from tests.e2e.stack import PATIENCE, Stack, models_ini

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.e2e.matrix_clients import Client
    from tests.e2e.matrix_hosted import Elsewhere
    from tests.e2e.matrix_places import Place
    from tests.e2e.matrix_table import Cell

Row = dict[str, Any]


@dataclass(frozen=True)
class Clients:
    """The official clients of one gateway; they retry nothing by themselves."""

    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic

    def of(self, api: str, *, plain: bool = False) -> Client:
        """The client of an API. ``plain``: see ``Responses``."""
        made: dict[str, Client] = {
            "chat": Chat(self.openai),
            "messages": Messages(self.anthropic),
            "responses": Responses(self.openai, plain=plain),
            "completions": Completions(self.openai),
        }
        return made[api]


@asynccontextmanager
async def clients_of(gateway: str) -> AsyncIterator[Clients]:
    """Clients of the gateway at a base URL."""
    async with AsyncExitStack() as opened:
        one = openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key="none", max_retries=0)
        two = anthropic.AsyncAnthropic(base_url=gateway, api_key="none", max_retries=0)
        yield Clients(await opened.enter_async_context(one), await opened.enter_async_context(two))


class Log:
    """The activity log of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def newest(self) -> int:
        """The number of the last request, 0 if there was none."""
        rows = await asyncio.to_thread(self._rows, "limit=1")
        return int(rows[0]["id"]) if rows else 0

    async def only_one_after(self, number: int) -> Row:
        """The one request after ``number``, once it is written."""
        query = f"min_id={number + 1}"
        rows: list[Row] = await soon(lambda: self._rows(query), "the request is logged", 10)
        assert len(rows) == 1, rows
        return rows[0]

    async def nothing_in_flight(self) -> None:
        """Wait until no request is in flight."""
        await soon(lambda: not self._in_flight(), "nothing is left in flight", 10)

    def _rows(self, query: str) -> list[Row]:
        rows: list[Row] = self._stack.request("GET", f"/api/metrics/activity?{query}").json()[
            "data"
        ]
        return rows

    def _in_flight(self) -> list[Any]:
        with urlopen(f"{self._stack.gateway}/api/events", timeout=PATIENCE) as events:
            for line in events:
                if line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    if event["type"] == "inflight":
                        snapshot = json.loads(event["data"])
                        return list(snapshot.get("requests", []))
        raise AssertionError("the stack did not say what is in flight")


@dataclass(frozen=True)
class Ground:
    """Where the matrix is played."""

    stack: Stack
    there: Elsewhere
    places: Mapping[str, Place]
    clients: Clients
    log: Log

    def client(self, cell: Cell) -> Client:
        """The client of a cell."""
        return self.clients.of(cell.api, plain=self.places[cell.place].plain)


@asynccontextmanager
async def standing(root: Path, tiny_chat: Path) -> AsyncIterator[Ground]:
    """Start everything, and end it."""
    tiny = tiny_tiers(str(tiny_chat), small="small", endless="endless")
    async with AsyncExitStack() as opened:
        there = await opened.enter_async_context(elsewhere())
        off = {"ollama": "off", "context_policy": "off"}
        peer = opened.enter_context(Stack(root / "peer", models_ini(tiny, **off)))
        ini = models_ini(
            {
                **tiny,
                **hosted_tiers(there),
                "neighbour": {"backend": "peer", "base_url": peer.gateway},
            },
            ollama=there.ollama.base,
            context_policy="off",  # what is too long is to be an error
        )
        here = opened.enter_context(Stack(root / "here", ini))
        for stack in (peer, here):
            done = await asyncio.to_thread(stack.command, "start", **CREDENTIALS)
            assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        places: dict[str, Place] = {
            "local": Tiny("local", here),
            "bedrock": BedrockPlace(there.bedrock, "far-bedrock"),
            "openai": OpenAIPlace(there.openai, "far-openai"),
            "ollama": OllamaPlace(there.ollama, "ollama/tiny:latest"),
            "peer": Tiny("peer", peer, "neighbour/"),
        }
        clients = await opened.enter_async_context(clients_of(here.gateway))
        yield Ground(here, there, places, clients, Log(here))
