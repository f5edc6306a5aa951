"""What befalls models during a soak: kills, unloads, reloads, each remembered with its time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

import psutil

from tests.soak.settings import MODELS, VANISHING, Settings

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.soak.clients import Outcome

#: Seconds by which what happens to a model and what its clients see may be apart.
SLACK = 2.0


@dataclass(frozen=True, slots=True)
class Blow:
    """Something that may end requests for ``model`` with ``statuses``."""

    model: str
    begin: float
    end: float
    statuses: frozenset[int]

    def excuses(self, outcome: Outcome) -> bool:
        """Whether it explains how a request ended."""
        return (
            self.model == outcome.model
            and (outcome.status in self.statuses)
            and self.begin <= outcome.end
            and outcome.begin <= self.end + SLACK
        )


#: A connection that broke, an answer that stops in the middle, a start that failed.
_KILLED = frozenset({-1, 200, 500, 502})
_UNLOADED = frozenset({500})
_FORCED = _KILLED
_GONE = frozenset({404})


@dataclass
class Trouble:
    """Makes it, at random. ``blows`` is what it did so far."""

    port: int
    pid: int
    file: Path
    models_port: int
    rng: Random
    settings: Settings = field(default_factory=Settings)
    blows: list[Blow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        kinds = (self.kill, self.unload, self.reload, self.kill_guard)
        while True:
            await asyncio.sleep(self.rng.uniform(0.05, 0.6))
            (kind,) = self.rng.choices(kinds, weights=(6, 4, 3, 1))
            self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
            await kind()

    async def kill(self) -> None:
        """SIGKILL to some process of some model."""
        found = []
        for child in psutil.Process(self.pid).children(recursive=True):
            with suppress(psutil.Error):
                found += [(child, name) for name in child.cmdline() if name in MODELS]
        if found:
            process, model = self.rng.choice(found)
            begin = time.monotonic()
            with suppress(psutil.Error):
                process.kill()
            self._note(model, begin, _KILLED)

    async def kill_guard(self) -> None:
        """SIGKILL to the guard process, which must not matter to anybody."""
        for child in psutil.Process(self.pid).children():
            with suppress(psutil.Error):
                if "llmstack.engine.guard_process" in child.cmdline():
                    child.kill()

    async def unload(self) -> None:
        """One model, or rarely all of them."""
        force = self.rng.random() < 0.3
        begin = time.monotonic()
        if self.rng.random() < 0.1:
            await self._post("/api/models/unload")
            for model in MODELS:
                self._note(model, begin, _UNLOADED)
            return
        model = self.rng.choice(MODELS)
        status = await self._post(f"/api/models/unload/{model}" + ("?force=1" if force else ""))
        assert status in (200, 404), status
        self._note(model, begin, _FORCED if force else _UNLOADED)

    async def reload(self) -> None:
        """Another configuration; returns when it is in force."""
        begin, self.settings = time.monotonic(), Settings.random(self.rng)
        new = self.file.with_suffix(".new")
        new.write_text(self.settings.text(self.models_port))
        new.replace(self.file)
        if self.settings.vanished and not self._absent():
            self._note(VANISHING, time.monotonic(), _GONE, until=inf)
        os.kill(self.pid, signal.SIGHUP)
        while await self._is_known(VANISHING) is self.settings.vanished:
            assert time.monotonic() < begin + 30, "the reload is not seen"
            await asyncio.sleep(0.05)
        if not self.settings.vanished:
            for place in self._absent():
                self.blows[place] = replace(self.blows[place], end=time.monotonic())

    def _absent(self) -> list[int]:
        """Where the blow stands that is not over yet."""
        return [place for place, blow in enumerate(self.blows) if blow.end == inf]

    async def _is_known(self, model: str) -> bool:
        status, body = await self._ask("GET", "/api/models")
        assert status == 200, body
        return model in {row["id"] for row in json.loads(body)["models"]}

    def _note(
        self, model: str, begin: float, statuses: frozenset[int], until: float | None = None
    ) -> None:
        end = time.monotonic() if until is None else until
        self.blows.append(Blow(model, begin, end, statuses))

    async def _post(self, path: str) -> int:
        return (await self._ask("POST", path))[0]

    async def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )
            async with asyncio.timeout(30):
                answer = await reader.read()
            head, _, body = answer.partition(b"\r\n\r\n")
            return int(head.split(b" ", 2)[1]), body
        finally:
            writer.close()
