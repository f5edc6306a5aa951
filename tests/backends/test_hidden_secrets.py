"""An upstream that repeats our key to us does not tell it our clients, records and logs."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from llmstack.errors import BackendFailed
from tests.backends.open_house import CHAT, ask, backend, events, open_house, whole
from tests.backends.upstream_server import Fault, UpstreamServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

KEY = "sk-secret-1234"
SAID = {"error": {"message": f"{KEY} has no credit"}}


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("status", [400, 402, 422])
async def test_a_refusal_that_repeats_it(path: str, status: int) -> None:
    server = UpstreamServer(speaks={CHAT, "/v1/completions", "/v1/messages", "/v1/responses"})
    async with serving(server), open_house(environ={"KEY": KEY}) as house:
        server.next(Fault(status, SAID, headers=(("x-debug", f"Bearer {KEY}"),)))
        answer = await backend(house, server.url, api_key_env="KEY").open(ask(path))
        told = await whole(answer)
        assert answer.status == status
        assert KEY.encode() not in told
        assert not [value for _, value in answer.headers if KEY.encode() in value]
        assert json.loads(told)["error"]["message"] == "$KEY has no credit"
        assert int(answer.header(b"content-length") or b"") == len(told)


@asynccontextmanager
async def failing_midway() -> AsyncIterator[str]:
    """A server whose streams say a word, and then that they failed."""
    word = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for told in (word, SAID):
            writer.write(b"data: " + json.dumps(told).encode() + b"\n\n")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(play, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
async def test_a_stream_that_repeats_it(path: str) -> None:
    async with failing_midway() as url, open_house(environ={"KEY": KEY}) as house:
        tier = backend(house, url, api_key_env="KEY", apis=("chat",))
        answer = await tier.open(ask(path, stream=True))
        told = await whole(answer)
        assert KEY.encode() not in told
        assert any("$KEY has no credit" in json.dumps(one) for one in events(told))
        assert KEY not in answer.problem
        assert answer.problem


async def test_a_status_that_http_does_not_have_is_a_bad_gateway() -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(999))
        with pytest.raises(BackendFailed, match="999") as caught:
            await backend(house, server.url).open(ask())
        assert caught.value.status == 502
