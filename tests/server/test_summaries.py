"""A model that cannot write summaries is not asked for one again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from llmstack.context.compaction import Span
from llmstack.context.needs import NeedSummary
from llmstack.server import summaries
from llmstack.server.summaries import AT_ONCE, FAILURES, PAUSE, Summaries
from tests.context.driven import SUMMARY

if TYPE_CHECKING:
    from llmstack.server.meter import Meter
    from llmstack.server.stop import Stop

pytestmark = pytest.mark.anyio


class Place(msgspec.Struct, frozen=True):
    name: str = "m"
    scope: dict[str, Any] = {}
    body: bytes = b""
    stream: bool = True


def _said(text: str) -> bytes:
    return msgspec.json.encode({"choices": [{"message": {"content": text}}]})


async def test_useless_answers_end_the_asking_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    now = 0.0
    answer = _said("I am only a tiny model.")

    async def answered(stop: Stop, _: Meter | None) -> tuple[int, bytes]:
        asked.append(stop.body)
        return 200, answer

    monkeypatch.setattr(summaries, "_answer", answered)
    writer = Summaries(lambda: now)
    place: Any = Place()

    async def write(number: int) -> bytes | None:
        return await writer.write(place, NeedSummary("chat", b"%d" % number, 5.0, Span(0, 1)))

    for number in range(FAILURES + 2):
        assert await write(number) is None
    assert len(asked) == FAILURES
    now, answer = PAUSE, _said(SUMMARY)
    assert await write(9) == answer
    await writer.close()


async def test_clients_that_leave_do_not_fill_the_queue_with_summaries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    going, ready = 0, asyncio.Event()

    async def answered(_: Stop, __: Meter | None) -> tuple[int, bytes]:
        nonlocal going
        going += 1
        await ready.wait()
        return 200, _said(SUMMARY)

    monkeypatch.setattr(summaries, "_answer", answered)
    writer = Summaries(lambda: 0.0)
    place: Any = Place()
    needs = [NeedSummary("chat", b"%d" % number, 5.0, Span(0, 1)) for number in range(AT_ONCE + 3)]
    writing = [asyncio.ensure_future(writer.write(place, need)) for need in needs]
    assert await asyncio.gather(*writing[AT_ONCE:]) == [None] * 3
    assert going == AT_ONCE
    ready.set()
    assert await asyncio.gather(*writing[:AT_ONCE]) == [_said(SUMMARY)] * AT_ONCE
    await writer.close()
