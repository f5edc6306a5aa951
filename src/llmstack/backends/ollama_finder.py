"""Finds the Ollama among the places where it may be, and remembers it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmstack.backends.fetch import fetch
from llmstack.backends.ollama_address import is_ours
from llmstack.backends.ollama_models import read_version
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.backends.ollama_models import Version
    from llmstack.backends.protocol import Headers
    from llmstack.http1 import Pool

#: Seconds that one place may take to answer, and for which it is remembered that none did.
PATIENCE: Final = 3.0
PAUSE: Final = 2.0
#: Bytes of an answer to ``/api/version``.
_MOST: Final = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """Where an Ollama is, and which."""

    base: str
    version: Version


class Finder:
    """Asks all places at once; the first of them in order that is an Ollama has it.

    ``headers`` are those of every question. ``now`` gives seconds of a monotonic clock. ``ours``
    are ports of this machine on which this program itself answers.
    """

    def __init__(
        self,
        pool: Pool,
        places: tuple[str, ...],
        headers: Callable[[], Headers],
        now: Callable[[], float],
        ours: frozenset[int] = frozenset(),
    ) -> None:
        self._pool = pool
        self._places = places
        self._headers = headers
        self._now = now
        self._ours = ours
        self._lock = asyncio.Lock()
        self._found: Found | None = None
        self._failure: tuple[float, BackendFailed] | None = None

    @property
    def found(self) -> Found | None:
        """Where it was last, None if it is yet to be found."""
        return self._found

    @property
    def failure(self) -> BackendFailed | None:
        """Why the last search found nothing."""
        return self._failure[1] if self._failure and not self._found else None

    async def find(self) -> Found:
        """Where it is; asked for once by all who want to know.

        Raises:
            BackendFailed: nowhere.
        """
        async with self._lock:
            if self._found:
                return self._found
            if self._failure and self._now() - self._failure[0] < PAUSE:
                raise _again(self._failure[1])
            try:
                self._found = await self._search()
            except BackendFailed as error:
                self._failure = self._now(), error
                raise
            self._failure = None
            return self._found

    async def check(self, base: str) -> Found:
        """What is at ``base`` now; a newer Ollama there is remembered.

        Raises:
            BackendFailed: no Ollama is.
        """
        headers = self._headers()
        if is_ours(base, self._ours):
            raise BackendFailed(f"{base} is no Ollama", why="it is this program", elsewhere=True)
        told = await fetch(self._pool, base, "/api/version", headers, seconds=PATIENCE, most=_MOST)
        _, version = read_version(told)
        if version is None:
            # Another llmstack's doors speak Ollama's API too.
            raise BackendFailed(
                f"{base} is no Ollama", why="it answers as another server", elsewhere=True
            )
        found = Found(base, version)
        if self._found and self._found.base == base:
            self._found = found
        return found

    def forget(self, base: str) -> None:
        """Search again next time: nothing answers at ``base``."""
        if self._found and self._found.base == base:
            self._found = None

    async def _search(self) -> Found:
        tasks = [asyncio.create_task(self.check(place)) for place in self._places]
        whys = []
        try:
            for place, task in zip(self._places, tasks, strict=True):
                try:
                    return await task
                except BackendFailed as error:
                    whys.append(f"{place}: {error.why or error.what}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise BackendFailed(
            "no Ollama answers",
            elsewhere=True,
            why="; ".join(whys) or "no address is given that could be asked",
            fix="Start it with `ollama serve`, or say where it is: OLLAMA_HOST=host:port.",
        )


def _again(error: BackendFailed) -> BackendFailed:
    """The same error; one that was raised before is not raised twice."""
    return BackendFailed(
        error.what, status=error.status, elsewhere=True, why=error.why, fix=error.fix
    )
