"""One more backend is a module and a line of the table."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

import pytest

from llmstack.backends import upstreams
from llmstack.backends.protocol import Health, Offered
from llmstack.backends.translated import TranslatedAnswer, conversation_of
from llmstack.config.hosted import BACKENDS, BackendKind, Hosted
from llmstack.dialects.translation.reply import Finished, TextDelta, Usage
from tests.server.house import fake, running, side_by_side, tier
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llmstack.backends.protocol import Answer, Ask, House, Upstream
    from llmstack.dialects.translation.reply import Event

pytestmark = pytest.mark.anyio


class Parrot:
    """Says what it was told."""

    def __init__(self, upstream: Upstream, _: House) -> None:
        self._name = upstream.hosted.model

    async def open(self, ask: Ask) -> Answer:
        conversation = conversation_of(ask)
        said = conversation.turns[-1].blocks[0]

        async def events() -> AsyncIterator[list[Event]]:
            yield [TextDelta(f"{self._name}: {said.text}")]  # type: ignore[union-attr]
            yield [Usage(3, 4), Finished("stop")]

        answer = TranslatedAnswer(ask, conversation, events(), lambda: None)
        await answer.begin()
        return answer

    async def models(self) -> tuple[Offered, ...]:
        return (Offered(self._name),)

    def health(self) -> Health:
        return Health("ok")

    async def close(self) -> None:
        pass


async def test_a_sixth_backend_needs_a_module_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    module = ModuleType("parrots")
    module.parrot = Parrot  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "parrots", module)
    table = MappingProxyType({**BACKENDS, "parrot": BackendKind("parrots:parrot", ())})
    monkeypatch.setattr(upstreams, "BACKENDS", table)
    hosted = replace(tier("polly", "ultra"), hosted=Hosted("parrot", model="grey"))
    swap = side_by_side(fake("near", free_tcp_port))
    async with running(tmp_path, swap, tiers=[tier("near", "agent"), hosted]) as house:
        for path, body in (
            ("/v1/chat/completions", chat("polly", "cracker")),
            ("/v1/messages", {**chat("polly", "cracker"), "max_tokens": 9}),
            ("/v1/responses", {"model": "auto", "input": "cracker"}),
            ("/v1/completions", {"model": "polly", "prompt": "cracker", "stream": True}),
        ):
            got = await ask(house.gateway, "POST", path, body)
            assert got.status == 200, got.body
            assert got.header("x-llmstack-model") == "polly"
            assert b"grey: cracker" in got.body
        rows = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"]
        assert len(rows) == 4
        for row in rows:
            assert row["metadata"]["backend"] == "parrot"
            assert (row["tokens"]["input_tokens"], row["tokens"]["output_tokens"]) == (3, 4)
