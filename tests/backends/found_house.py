"""A house for backends that are tested on the wire, and what is asked of them."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from llmstack.backends.protocol import Ask, House
from llmstack.http1 import Pool
from tests.http1.raw_server import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from llmstack.backends.protocol import Answer, Headers


@asynccontextmanager
async def house(
    environ: Mapping[str, str] | None = None,
    now: Callable[[], float] = time.monotonic,
    ours: frozenset[int] = frozenset(),
) -> AsyncIterator[House]:
    """A house whose connections have all ended once it is closed. Its pauses take no time."""
    pool = Pool()
    yield House(pool, dict(environ or {}), now, lambda _: asyncio.sleep(0), random.random, ours)
    pool.close()
    await until(lambda: not pool._all)


def ask(
    model: str,
    path: str = "/v1/chat/completions",
    *,
    stream: bool = False,
    headers: Headers | None = None,
    **more: Any,
) -> Ask:
    """A request with a message, a prompt or an input, as the API wants it."""
    said = {
        "/v1/completions": {"prompt": "Hi"},
        "/v1/embeddings": {"input": "Hi"},
        "/v1/responses": {"input": "Hi"},
        "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    }.get(path, {"messages": [{"role": "user", "content": "Hi"}]})
    body = {"model": f"ollama/{model}", **said, **({"stream": True} if stream else {}), **more}
    kind = (b"content-type", b"application/json")
    return Ask(
        "POST",
        path,
        path.encode(),
        [kind, *(headers or [])],
        json.dumps(body).encode(),
        model,
        f"ollama/{model}",
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
