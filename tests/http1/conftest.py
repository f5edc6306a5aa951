"""Every test of the client runs on both event loops and leaves no connection behind."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.http1 import Pool
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(
    params=[("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})],
    ids=["asyncio", "uvloop"],
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """The daemon runs on uvloop where there is one, else on asyncio."""
    if request.param[1]["use_uvloop"]:
        pytest.importorskip("uvloop")
    return request.param


@pytest.fixture
async def pool(anyio_backend: object) -> AsyncIterator[Pool]:
    """A client. What a test leaves open in it must be gone once it is closed."""
    pool = Pool()
    yield pool
    pool.close()
    pool.close()
    await until(lambda: not pool._all)
    assert not any(pool._kept.values())


@pytest.fixture
def full() -> Iterator[str]:
    """The base URL of a server whose backlog is full: connecting takes for ever."""
    if sys.platform != "linux":
        pytest.skip("other systems treat a full backlog differently")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            with suppress(BlockingIOError):
                other.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for other in others:
            other.close()
