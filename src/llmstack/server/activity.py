"""What the server keeps of its requests, and everything that tells of it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.activity import (
    ActivityRow,
    CaptureCache,
    ClientMetrics,
    Events,
    InflightTable,
    ModelMetrics,
    Recording,
    Sampler,
)
from llmstack.activity.record import NO_METADATA
from llmstack.activity.reprefill import Rereading
from llmstack.config.stack import Prices
from llmstack.engine import State
from llmstack.routing.session import SHOWN
from llmstack.server.activity_routes import activity_routes
from llmstack.server.activity_store import open_store
from llmstack.server.budgets import Budgets
from llmstack.server.details import Details
from llmstack.server.events_route import model_status
from llmstack.server.line_log import LineCollector, LineLog
from llmstack.server.load_progress import progress_of
from llmstack.server.log_tap import LogTap
from llmstack.server.loglines import LineFormatter
from llmstack.server.meter import LONGEST, Meter, tracked_path
from llmstack.server.model_watch import ModelWatch
from llmstack.server.overviews import Overviews
from llmstack.server.packer import Packer
from llmstack.server.refused import refused_row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import tzinfo
    from pathlib import Path

    from starlette.routing import Route

    from llmstack.config.hosted import Budget
    from llmstack.config.swap import SwapConfig
    from llmstack.engine import Engine, ModelChanged
    from llmstack.engine.logs import Log
    from llmstack.errors import RequestError
    from llmstack.server.asgi import Scope

log = logging.getLogger(__name__)

#: Requests whose rows are made together, and seconds after which they are made anyway. Code that
#: runs again and again costs half of what it costs once between two other things.
TOGETHER, SOON = 32, 0.05
_MIB = 1024 * 1024


class Activity:
    """Request log, live table, captures, metrics and events of one engine.

    ``captures`` allows requests and answers to be kept in memory, within the configuration's
    ``captureBuffer``; without it no prompt is kept anywhere. ``proxy_log`` is the log of our own
    lines; without one, those of the logger ``llmstack`` are collected here. ``tiers`` are the
    models that are tiers of a stack. ``active_profile`` names the active profile. Rows are kept in
    the configuration's ``store``; ``fallback`` is the file for a configuration that has none, and
    when it cannot be used they are kept in memory.

    What the doors know about a request they may leave in its scope: ``llmstack.client`` (name of
    the key that was shown), ``llmstack.metadata`` (texts by name, for the row), routing's
    ``llmstack.tier``, ``llmstack.reason``, ``llmstack.tokens`` (the prompt's, estimated),
    ``llmstack.session`` and ``llmstack.choice``, ``llmstack.fitted`` (what was done to the prompt),
    ``llmstack.backend`` (what answers) and ``llmstack.instead_of`` (the tier that was asked first).

    ``prices`` and ``budgets`` are those of tiers; ``zone`` and ``now`` say when a budget's day
    begins. An answer counts when it has ended, so requests that run side by side may together go
    beyond a budget by what they cost.

    Raises:
        LlmstackError: the configured store cannot be used.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        captures: bool = False,
        proxy_log: Log | None = None,
        tiers: Collection[str] = (),
        prices: Mapping[str, Prices] = {},
        budgets: Mapping[str, Budget] = {},
        zone: tzinfo | None = None,
        fallback: Path | None = None,
        active_profile: Callable[[], str | None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        config = engine.config
        self.engine = engine
        self.active_profile = active_profile
        #: The entries of ``modelStatus`` for models that others host.
        self.elsewhere: Callable[[], list[dict[str, Any]]] = list
        self._tiers = frozenset(tiers)
        #: Who is told of every row.
        self.listeners: list[Callable[[ActivityRow], None]] = []
        #: By tier; what is not here has no price.
        self.prices = {tier: stated for tier, stated in prices.items() if stated != Prices()}
        self.budgets = Budgets(self.prices, budgets, self.settle, now, zone)
        self.events = Events()
        self.inflight = InflightTable(self.events)
        self._capturing = captures
        self.captures = CaptureCache(config.capture_buffer * _MIB if captures else 0)
        self._packer = Packer(self.captures)
        self.metrics = ModelMetrics(_names(config) | self._tiers)
        self._rereading = Rereading()
        #: How the latest requests were routed and fitted.
        self.details = Details()
        self.clients = ClientMetrics()
        self.sampler: Sampler | None = None
        self._sampling: asyncio.Task[None] | None = None
        self.store = open_store(config, fallback, self.budgets.spend)
        self.watch = ModelWatch(self.metrics, self.inflight.now, self.store.swapped)
        #: What ``GET /api/overview`` tells.
        self.overviews = Overviews(self, now, zone)
        self._collector: LineLog | None = None
        if proxy_log is None:
            lines = LineFormatter(config.log_time_format, config.secrets)
            proxy_log = self._collector = LineLog(lines, self._listening)
        self.proxy_log: Log = proxy_log
        self._proxy = LogTap(self.proxy_log, self._tells("proxy"), self._listening)
        self._upstream = LogTap(engine.output, self._tells("upstream"), self._listening)
        self._sessions: frozenset[bytes] = frozenset()
        #: Requests that have ended and whose rows are still to be made.
        self._finished: list[Meter] = []
        self._settling: asyncio.TimerHandle | None = None
        #: Whether the server is stopping and nobody may wait for events any more.
        self.retired = False
        self._handler: logging.Handler | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._apply(config)

    async def start(self) -> None:
        """Listen to the engine and the logs, and sample the machine."""
        self._unsubscribe = self.engine.events.subscribe(self._model_changed)
        if self._collector:
            self._handler = LineCollector(self._collector)
            logging.getLogger("llmstack").addHandler(self._handler)
        self._proxy.start()
        self._upstream.start()
        self._sample(self.engine.config)

    def retire(self) -> None:
        """End the streams of events and lines, so that the server can stop.

        Rows are still taken.
        """
        self.retired = True
        self.events.close()
        if self._collector:
            self._collector.end_readers()

    async def stop(self) -> None:
        """Write what waits and close everything. May be repeated."""
        self.retire()
        if self._sampling:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)
            self._sampling = None
        self._proxy.stop()
        self._upstream.stop()
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None
        if self._handler:
            logging.getLogger("llmstack").removeHandler(self._handler)
            self._handler = None
        if self._settling:
            self._settling.cancel()
        self.settle()
        self._packer.close()
        await asyncio.to_thread(self.store.close)

    def routes(self) -> list[Route]:
        """The endpoints that tell of all this."""
        return activity_routes(self)

    def reconfigured(self) -> None:
        """The engine has a new configuration: go by it, and tell clients.

        The store's file stays what it is until the next start.
        """
        config = self.engine.config
        self._apply(config)
        self.captures.limit = config.capture_buffer * _MIB if self._capturing else 0
        if not self.store.on_disk:
            self.store.keep(config.metrics_max_in_memory)
        self._sample(config)
        if self.events.listening:
            self.events.publish("uiConfig", self._ui_config())
        self.profile_changed()

    def profile_changed(self) -> None:
        """Tell clients which profile is active, and the models anew."""
        if self.events.listening:
            self.events.publish("modelStatus", self._models())
            self.events.publish("profileChanged", {"active": self.active_profile()})

    # Requests.

    def begin(
        self,
        scope: Scope,
        model: str,
        body: bytes,
        raw_path: bytes | None,
        cancel: Callable[[], None],
    ) -> Meter | None:
        """Follow a request; None for one that is none of a model's routes.

        ``cancel`` ends it when somebody asks for that.
        """
        path = tracked_path(scope, raw_path)
        if path is None:
            return None
        recorded = scope["method"] == "POST"
        recording = None
        if recorded and self.captures.enabled:
            recording = Recording(path, scope["headers"], body, self.captures.limit)
        return Meter(self, scope, model, path, recording, cancel, recorded=recorded, sent=len(body))

    def begin_websocket(
        self, scope: Scope, model: str, raw_path: bytes | None, cancel: Callable[[], None]
    ) -> Meter:
        """Follow a WebSocket, whatever its path. Its messages are only counted."""
        sent = scope["raw_path"] if raw_path is None else raw_path
        path = sent.decode("latin-1")[:LONGEST]
        return Meter(self, scope, model, path, None, cancel, recorded=True)

    def refused(self, scope: Scope, model: str, error: RequestError) -> None:
        """Keep a row for a request that never came to a model, under the name it asked for."""
        path = tracked_path(scope, None) if scope["type"] == "http" else None
        if path is None or scope["method"] != "POST" or not model:
            return
        metadata = self.metadata(scope, "") or NO_METADATA
        row = refused_row(scope, model, path, error, metadata)
        self.settle()  # first those that ended before
        self._keep(row, None, scope)

    def finished(self, meter: Meter) -> None:
        """Take a request that has ended. What is kept of it is made soon, of many at once."""
        waiting = self._finished
        waiting.append(meter)
        if len(waiting) >= TOGETHER or self.events.listening:
            self.settle()
        elif self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SOON, self._settle_later)

    def settle(self) -> None:
        """Keep the rows of all requests that have ended. Whoever wants to see them calls this."""
        finished, self._finished = self._finished, []
        for meter in finished:
            try:
                row = meter.row()
                self._keep(row, meter.recording, meter.scope)
                self.overviews.ended(meter, row)
            except Exception:  # one strange answer must not cost the others their rows
                log.exception("a request was not kept")

    def _settle_later(self) -> None:
        self._settling = None
        self.settle()

    def _keep(self, row: ActivityRow, recording: Recording | None, scope: Scope) -> None:
        if row.cost_usd and row.tier:
            self.budgets.spend.add(row.tier, row.cost_usd, row.timestamp)
        if reread := self._rereading.of(row):
            row = msgspec.structs.replace(row, reread_tokens=reread)
        number = self.store.add(row)
        self.details.keep(number, scope)
        self.metrics.request(row)
        self.clients.request(row)
        for listener in self.listeners:
            listener(row)
        if recording is not None:
            self._packer.add(number, recording)
        if self.events.listening:
            self.events.publish("activity", {"id": number})

    def spending(self) -> list[dict[str, Any]]:
        """What each tier has cost this day and month, and may cost (``Budgets.rows``)."""
        return self.budgets.rows()

    def states(self) -> Mapping[str, str]:
        """Every model's state."""
        return {status.id: str(status.state) for status in self.engine.status()}

    def admits(self, model: str) -> bool:
        """Whether a model that runs here is loaded and nobody waits for it."""
        entry = self.engine.config.models.get(model)
        if entry is None or self.engine.state(model) is not State.READY:
            return False
        return self.engine.queue_position(entry) is None

    def tier(self, model: str) -> str:
        """The name of the tier that ``model`` is, if it is one."""
        return model if model in self._tiers else ""

    def metadata(self, scope: Scope, model: str) -> dict[str, str] | None:
        """What the doors, the configuration and the client's headers say of a request."""
        metadata: dict[str, str] = {}
        if given := scope.get("llmstack.metadata"):
            metadata |= given
        if priority := self._priorities.get(model):
            metadata["fifo_priority"] = str(priority)
        if session := scope.get("llmstack.session"):
            metadata["session"] = session.hex()[:SHOWN]
        if sessions := self._sessions:
            for name, value in scope["headers"]:
                if name in sessions:
                    metadata.setdefault("session", value.decode("latin-1")[:LONGEST])
        return metadata or None

    # The engine and the logs.

    def _model_changed(self, event: ModelChanged) -> None:
        self.watch.changed(event)
        if self.events.listening:
            self.events.publish("modelStatus", self._models())
            self.events.publish("modelProgress", progress_of(event))
            for request in self.inflight:
                if request.model == event.model:  # it may begin to load, or queue again
                    request.tell()

    def _tells(self, source: str) -> Callable[[str], None]:
        return lambda text: self.events.publish("logData", {"source": source, "data": text})

    def _listening(self) -> bool:
        return self.events.listening

    def _apply(self, config: SwapConfig) -> None:
        self.metrics.set_models(_names(config) | self._tiers)
        self._priorities = config.priorities
        self._sessions = frozenset(
            name.lower().encode("latin-1", "replace") for name in config.session_headers
        )

    def _sample(self, config: SwapConfig) -> None:
        """Look at the machine as ``performance`` says; what is known of it stays."""
        every = 0.0 if config.performance.disabled else float(config.performance.every)
        if self.sampler is None or self.sampler.every != every:
            if self._sampling:
                self._sampling.cancel()
                self._sampling = None
            self.sampler = Sampler(every, before=self.sampler) if every else None
        if self.sampler and self._sampling is None:
            self._sampling = asyncio.ensure_future(self.sampler.run())

    def _ui_config(self) -> dict[str, Any]:
        return {"activity": {"session_id": list(self.engine.config.session_headers)}}

    def _models(self) -> list[dict[str, Any]]:
        return [*model_status(self.engine), *self.elsewhere()]

    def initial(self) -> list[tuple[str, Any]]:
        """The events that a new client gets first, in llama-swap's order."""
        return [
            ("logData", {"source": "proxy", "data": self._proxy.text()}),
            ("logData", {"source": "upstream", "data": self._upstream.text()}),
            *self.state(),
        ]

    def state(self) -> list[tuple[str, Any]]:
        """The same without the logs, for a client that has lost some events."""
        return [
            ("modelStatus", self._models()),
            ("uiConfig", self._ui_config()),
            ("profileChanged", {"active": self.active_profile()}),
            ("inflight", self.inflight.snapshot()),
        ]


def _names(config: SwapConfig) -> set[str]:
    """The names that get metrics of their own."""
    of_peers = (f"{name}/{model}" for name, peer in config.peers.items() for model in peer.models)
    return {*config.models, *of_peers}
