"""When a model's process is ready: its health endpoint answers exactly 200."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from llmstack.http1 import Pool, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds one probe may take before it counts as a no.
PROBE_LIMIT = 5.0

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Probe(Protocol):
    """How the engine asks whether a model is ready; replaced in tests."""

    async def ready(self, url: str) -> bool:
        """Whether a GET of ``url`` answers 200."""
        ...

    def taken(self, proxy: str) -> bool:
        """Whether something already listens where the model at ``proxy`` is to listen."""
        ...


class HttpProbe:
    """Asks over HTTP; never follows redirects and never uses a proxy."""

    def __init__(self) -> None:
        self._pool = Pool()

    async def ready(self, url: str) -> bool:
        """Whether a GET of ``url`` answers 200 within ``PROBE_LIMIT``."""
        where = urlsplit(url)
        target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        base = f"{where.scheme}://{where.netloc}"
        close = [(b"connection", b"close")]
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                answer = await self._pool.request("GET", base, target.encode(), close)
        except (Unreachable, TimeoutError):
            return False
        answer.close()
        return answer.status == 200

    def taken(self, proxy: str) -> bool:
        """Whether a loopback ``proxy`` address accepts a connection before the start.

        Otherwise a stale server on the port would pass for the new model.
        """
        where = urlsplit(proxy)
        if where.hostname not in _LOOPBACK or where.port is None:
            return False
        try:
            with socket.create_connection((where.hostname, where.port), timeout=0.2):
                return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


def intervals() -> Iterator[float]:
    """Seconds between probes: 20 ms at first, and no more than 60 ms for the first minute.

    So a load of up to a minute is noticed within 100 ms, on a busy machine, too. After that it is
    1 s: the probes of a very long load would else fill its server's log, for a gain that nobody
    could tell.
    """
    wait, passed = 0.02, 0.0
    while True:
        yield wait
        passed += wait
        wait = min(wait * 1.25, 0.06) if passed < 60 else 1.0
