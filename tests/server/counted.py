"""A model process that answers what a test says, and its life."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.config.swap import SwapModel
from tests.server.raw_upstream import JSON_HEAD, Peer, RawRequest, RawUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MISSING = (404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}})


@dataclass
class Process:
    """Answers each path with a status and a JSON value; others are not there.

    ``life`` is what ``Lives`` would say of it; it stands in for ``Lives`` too.
    """

    upstream: RawUpstream
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    life: int | None = 1
    asked: list[RawRequest] = field(default_factory=list)

    @property
    def model(self) -> SwapModel:
        return SwapModel("one", proxy=f"http://127.0.0.1:{self.upstream.port}/")

    @property
    def paths(self) -> list[str]:
        return [request.target for request in self.asked]

    def of(self, model: SwapModel) -> int | None:
        assert model.id == "one"
        return self.life

    async def answer(self, peer: Peer, request: RawRequest) -> None:
        self.asked.append(request)
        status, value = self.answers.get(request.target, MISSING)
        head = JSON_HEAD.replace(b"200 OK", b"%d Said" % status)
        await peer.reply(json.dumps(value).encode(), head)


@asynccontextmanager
async def process() -> AsyncIterator[Process]:
    """A process that is ready."""
    upstream = RawUpstream()
    await upstream.listen()
    try:
        made = Process(upstream)
        async with upstream.play(made.answer):
            yield made
    finally:
        await upstream.close()
