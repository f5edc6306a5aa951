"""Keys with names, kept as digests; and Ollama's clients in the activity log."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap_loader import parse_swap
from llmstack.server.door import Door
from tests.server.activity_house import QUIET, watched
from tests.server.raw_upstream import SSE_HEAD
from tests.server.test_access import bearer
from tests.server.test_ollama import delta, lines
from tests.server.wire import Wire, ask, chat

if TYPE_CHECKING:
    from llmstack.activity import Activity
    from llmstack.config.swap import SwapConfig
    from llmstack.server.asgi import App
    from llmstack.server.dispatch import Dispatcher
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

DIGEST = sha256(b"sk-editor").hexdigest()
CONFIG = f"""
apiKeys:
  - sk-plain
  - name: editor
    sha256: {DIGEST}
    models: [one]
models:
  one: {{cmd: sleep 600, proxy: "http://127.0.0.1:1", checkEndpoint: none}}
  two: {{cmd: sleep 600, proxy: "http://127.0.0.1:2", checkEndpoint: none}}
"""
ANSWER = {
    "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 5},
}


def config() -> SwapConfig:
    return replace(parse_swap(CONFIG, "keys.yaml", {}), performance=QUIET, min_residency=0)


def whole(dispatcher: Dispatcher, activity: Activity) -> App:
    return Door(dispatcher)


async def ok(peer: Peer, _: RawRequest) -> None:
    await peer.reply(json.dumps(ANSWER).encode())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
async def test_the_activity_names_the_key_and_never_shows_it(path: str) -> None:
    """Better than llama-swap, number 9."""
    async with watched(config(), raw=["one"], captures=True, door=whole) as house:
        editor, admin = bearer("sk-editor"), bearer("sk-plain")
        async with house.raw["one"].play(ok):
            got = await ask(house.port, "POST", path, chat("one", stream=False), editor)
            assert got.status == 200
            (request,) = house.raw["one"].requests
        assert b"sk-editor" not in b"".join(value for _, value in request.headers)
        for key in ([], editor, bearer(DIGEST), bearer(f"sha256:{DIGEST}")):
            got = await ask(house.port, "GET", "/api/metrics/activity", headers=key)
            assert got.status in (401, 403)  # the digest is no key
        got = await ask(house.port, "GET", "/api/metrics/activity", headers=admin)
        (row,) = got.json()["data"]
        assert row["metadata"]["client"] == "editor"
        assert row["model"] == "one"
        assert (row["tokens"]["input_tokens"], row["tokens"]["output_tokens"]) == (7, 5)
        for page in ("/api/captures/1", "/running", "/api/models", "/logs", "/metrics"):
            got = await ask(house.port, "GET", page, headers=admin)
            for secret in (b"sk-editor", b"sk-plain", DIGEST.encode()):
                assert secret not in got.body


async def test_an_ollama_stream_is_in_flight_and_can_be_cancelled() -> None:
    """Its client is told so in a last line, and the generation ends."""
    gone = asyncio.Event()

    async def endless(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(delta("a"))
        await peer.gone()
        gone.set()

    admin = bearer("sk-plain")
    async with watched(config(), raw=["one"], door=whole) as house:
        async with house.raw["one"].play(endless), Wire(house.port) as wire:
            await wire.request("POST", "/api/chat", admin, json.dumps(chat("one")).encode())
            answer = await wire.head()
            await wire.piece(answer)
            (entry,) = house.activity.inflight.snapshot()["requests"]
            assert (entry["model"], entry["req_path"]) == ("one", "/v1/chat/completions")
            url = f"/api/inflight/{entry['id']}/cancel"
            assert (await ask(house.port, "POST", url, headers=admin)).status == 200
            told = lines(await wire.finish(answer))
            await asyncio.wait_for(gone.wait(), 30)
        assert told[0]["message"]["content"] == "a"
        assert told[1].keys() == {"error"}
