"""A house with a clock of its own, and requests for what lives in it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from llmstack.backends.http_backend import HttpBackend
from llmstack.backends.protocol import Ask, House, Upstream
from llmstack.config.hosted import Hosted
from llmstack.config.stack import Sampler
from llmstack.http1 import Pool
from tests.http1.raw_server import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from llmstack.backends.protocol import Answer, Headers

CHAT = "/v1/chat/completions"
JSON = (b"content-type", b"application/json")


class Clock:
    """Time that passes when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def open_house(
    clock: Clock | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[House]:
    """A house whose connections have all ended once it is closed."""
    clock = clock or Clock()
    pool = Pool()
    try:
        yield House(pool, dict(environ or {}), clock, clock.sleep, lambda: 0.5)
    finally:
        pool.close()
        await until(lambda: not pool._all)


def backend(house: House, url: str, sampler: Sampler | None = None, **more: Any) -> HttpBackend:
    """A tier called ``coder`` whose model is called ``up/model`` there."""
    hosted = Hosted("openai", model="up/model", base_url=url, **more)
    return HttpBackend(Upstream("coder", hosted, sampler or Sampler()), house)


def ask(
    path: str = CHAT,
    *,
    stream: bool = False,
    headers: Headers | None = None,
    target: str = "",
    body: bytes | None = None,
    method: str = "POST",
    **more: Any,
) -> Ask:
    """A request in the API of ``path``."""
    said: dict[str, Any] = {
        "/v1/completions": {"prompt": "Hi"},
        "/v1/embeddings": {"input": "Hi"},
        "/v1/responses": {"input": "Hi"},
    }.get(path, {"messages": [{"role": "user", "content": "Hi"}]})
    if path == "/v1/messages":
        said = {**said, "max_tokens": 9}
    told = {"model": "coder", **said, **({"stream": True} if stream else {}), **more}
    return Ask(
        method,
        path,
        (target or path).encode(),
        [JSON, *(headers or [])],
        json.dumps(told).encode() if body is None else body,
        "up/model",
        "coder",
        stream,
    )


async def whole(answer: Answer) -> bytes:
    """The rest of a body; closes the answer."""
    pieces = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not answer.exhausted:
                pieces.append(await answer.read())
    finally:
        answer.close()
    return b"".join(pieces)


def events(body: bytes) -> list[Any]:
    """The data of a stream's events; ``[DONE]`` as it is."""
    datas = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]
