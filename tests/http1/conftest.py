"""Every test of the client runs on both event loops and leaves no connection behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstack.http1 import Pool
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
