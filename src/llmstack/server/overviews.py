"""Takes the readings that ``llmstack.server.overview`` is made from, while somebody looks."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, tzinfo
from math import floor
from typing import TYPE_CHECKING, Any, Final

from llmstack import __version__
from llmstack.activity.day import Day
from llmstack.activity.events import encode_event
from llmstack.activity.flow import Flow
from llmstack.server.devices import Devices
from llmstack.server.meter import EVENTS
from llmstack.server.overview import Elsewhere, Reading, Standing, overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstack.activity import ActivityRow, Client
    from llmstack.server.activity import Activity
    from llmstack.server.meter import Meter

log = logging.getLogger(__name__)

#: Seconds between two events, and for which today's sums and what models take are believed.
EVERY: Final = 1.0
BELIEVED: Final = 3.0


class Overviews:
    """What ``activity`` and its engine know, at a glance. For one event loop.

    Today begins at midnight in ``zone``, None for this machine's. ``standing`` says what kind of
    daemon this is. Nothing is measured while nobody looks.
    """

    def __init__(
        self,
        activity: Activity,
        now: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        self.standing = Standing()
        self.flow = Flow(activity.inflight.now)
        self._activity = activity
        self._now = now
        self._zone = zone
        self._began = now()
        self._devices = Devices(activity.engine)
        self._day = Day(0.0)
        self._summed_at = float("-inf")
        self._summing: asyncio.Future[None] | None = None
        self._clients: set[Client] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def now(self) -> dict[str, Any]:
        """The overview as it is now."""
        activity = self._activity
        activity.settle()
        await asyncio.gather(self._sum(), self._devices.refresh(BELIEVED))
        return overview(self._read())

    def ended(self, meter: Meter, row: ActivityRow) -> None:
        """An answer has ended, and this is what was kept of it."""
        tokens, flow = row.usage.output_tokens, self.flow
        if tokens and row.resp_content_type.startswith(EVENTS):
            flow.learn(row.model, meter.resp_bytes, tokens)
        if flow.watched:
            flow.ended(meter.number, row.model, tokens, meter.worked)

    @contextmanager
    def following(self, client: Client) -> Iterator[None]:
        """Tell ``client`` every second, until the context ends."""
        self._clients.add(client)
        if self._ticking is None:
            self._ticking = asyncio.ensure_future(self._tick())
        try:
            yield
        finally:
            self._clients.discard(client)
            if not self._clients and self._ticking:
                self._ticking.cancel()
                self._ticking = None

    def publish(self, kind: str, data: object) -> None:
        """Tell those who follow the overview of something that llama-swap's clients do not know."""
        if self._clients:
            frame = encode_event(kind, data)
            for client in tuple(self._clients):
                client.put(frame)

    async def _tick(self) -> None:
        while True:
            began = asyncio.get_running_loop().time()
            try:
                frame = encode_event("overview", await self.now())
                if len(self._activity.inflight):
                    # A request is else told when bytes of its answer pass; phases go by before.
                    frame = encode_event("inflight", self._activity.inflight.snapshot()) + frame
            except Exception:  # one strange reading must not end the others
                log.exception("no overview this time")
            else:
                for client in tuple(self._clients):
                    client.put(frame)
            took = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(EVERY - took, 0.05))

    def _read(self) -> Reading:
        activity, engine, now = self._activity, self._activity.engine, self._now()
        answers = activity.inflight.flowing()
        rates = self.flow.look(answers)
        memory = self._devices.host
        status = tuple(
            replace(row, memory=memory.get(row.pid) if row.pid else None) for row in engine.status()
        )
        return Reading(
            time=now,
            version=__version__,
            uptime=now - self._began,
            standing=self.standing,
            clock=engine.now(),
            local=status,
            names={model.id: model.name for model in engine.config.models.values()},
            elsewhere=tuple(self._elsewhere(rates)),
            devices=self._devices.now(status, activity.sampler),
            rates=rates,
            day=self._day,
            spending=tuple(activity.spending()),
        )

    def _elsewhere(self, rates: dict[str, float]) -> Iterator[Elsewhere]:
        """Hosted tiers, and what sources and peers have as far as it answers something now.

        There may be hundreds of the latter; the event ``modelStatus`` names them all.
        """
        activity = self._activity
        busy = Counter(request.model for request in activity.inflight)
        told: set[str] = set(activity.engine.config.models)
        for row in activity.elsewhere():
            name = row["id"]
            if row["state"] or busy[name] or name in rates:
                yield Elsewhere(name, row["name"], row["provider"], row["state"], busy[name])
            told.add(name)
        for peer, entry in activity.engine.config.peers.items():
            for name in (f"{peer}/{model}" for model in entry.models):
                if name not in told and (busy[name] or name in rates):
                    yield Elsewhere(name, "", "peer", "", busy[name])

    async def _sum(self) -> None:
        """Ask the store for today's sums, unless they were asked for lately."""
        if self._activity.inflight.now() - self._summed_at < BELIEVED:
            return
        if self._summing is None:
            self._summing = asyncio.ensure_future(self._ask())
            self._summing.add_done_callback(self._summed)
        await asyncio.shield(self._summing)

    def _summed(self, done: asyncio.Future[None]) -> None:
        self._summing = None
        self._summed_at = self._activity.inflight.now()
        if not done.cancelled():
            done.exception()  # told by those who wait

    async def _ask(self) -> None:
        activity, since = self._activity, self._midnight()
        if not activity.store.on_disk:
            since = max(since, floor(self._began))  # rows have whole seconds
        try:
            self._day = await asyncio.wrap_future(activity.store.ask_day(since))
        except (sqlite3.Error, RuntimeError) as error:
            log.warning("today's sums cannot be read: %s", error)

    def _midnight(self) -> float:
        today = datetime.fromtimestamp(self._now(), self._zone)
        return today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
