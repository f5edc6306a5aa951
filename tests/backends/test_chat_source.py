"""A translated answer ends when the upstream's has ended, whatever that goes on to send."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.backends import chat_source
from llmstack.dialects import sse
from llmstack.errors import BackendFailed
from tests.backends.open_house import ask, backend, events, open_house, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

MESSAGES = "/v1/messages"
DONE = b"data: [DONE]\n\n"


def chunk(word: str, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": reason}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


@asynccontextmanager
async def upstream(first: bytes, rest: bytes) -> AsyncIterator[str]:
    """A server that sends ``first`` and then ``rest`` until the client leaves, or nothing."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + first)
        with suppress(ConnectionError):
            while rest:
                writer.write(rest)
                await writer.drain()
            await reader.read()
        writer.close()

    async with await asyncio.start_server(play, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("rest", [b"", b": ping\n\n", chunk("more")])
async def test_an_error_ends_it(rest: bytes) -> None:
    failed = b'data: {"error":{"message":"boom"}}\n\n'
    async with upstream(chunk("Hi") + failed, rest) as url, open_house() as house:
        answer = await backend(house, url, apis=("chat",)).open(ask(MESSAGES, stream=True))
        assert events(await whole(answer))[-1]["error"]["message"] == "boom"
    async with upstream(failed, rest) as url, open_house() as house:
        with pytest.raises(BackendFailed, match="boom"):
            await backend(house, url, apis=("chat",)).open(ask(MESSAGES, stream=True))


@pytest.mark.parametrize("rest", [b"", b": ping\n\n", chunk("more")])
async def test_its_last_event_ends_it(rest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_source, "_LAST", 0.01)
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    said = chunk("Hi") + chunk("", "stop") + chunk("", usage=usage) + DONE
    async with upstream(said, rest) as url, open_house() as house:
        answer = await backend(house, url, apis=("chat",)).open(ask(MESSAGES, stream=True))
        told = events(await whole(answer))
        assert told[-1]["type"] == "message_stop"
        assert not answer.problem
        assert answer.usage is not None
        assert answer.usage.input == 7


async def test_it_is_not_read_for_ever_for_the_tokens_that_follow_its_end() -> None:
    said = chunk("Hi") + chunk("", "stop")
    async with upstream(said, chunk("more")) as url, open_house() as house:
        answer = await backend(house, url, apis=("chat",)).open(ask(MESSAGES, stream=True))
        told = events(await whole(answer))
        assert told[-1]["type"] == "message_stop"
        assert not any("more" in json.dumps(one) for one in told)


async def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_LIMIT", 1024 * 1024)
    async with upstream(b"data: ", b"x" * 65536) as url, open_house() as house:
        with pytest.raises(BackendFailed, match="unreadable"):
            async with asyncio.timeout(10):
                await backend(house, url, apis=("chat",)).open(ask(MESSAGES, stream=True))


async def test_a_stream_that_nobody_asked_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_source, "LIMIT", 1024 * 1024)
    async with upstream(b"", chunk("more")) as url, open_house() as house:
        with pytest.raises(BackendFailed, match="1 MiB"):
            async with asyncio.timeout(10):
                await backend(house, url, apis=("chat",)).open(ask(MESSAGES))
