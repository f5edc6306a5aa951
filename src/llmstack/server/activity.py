"""What the server keeps of its requests, and everything that tells of it."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack.activity import (
    ActivityRow,
    ActivityStore,
    CaptureCache,
    Events,
    InflightTable,
    ModelMetrics,
    Recording,
    Sampler,
    error_message,
)
from llmstack.engine import State
from llmstack.engine.logs import Log
from llmstack.server.activity_routes import activity_routes
from llmstack.server.events_route import model_status
from llmstack.server.load_progress import progress_of
from llmstack.server.log_tap import LogForwarder, LogTap
from llmstack.server.loglines import LineFormatter
from llmstack.server.meter import Meter, tracked_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.routing import Route

    from llmstack.activity import Inflight
    from llmstack.engine import Engine, ModelChanged
    from llmstack.errors import RequestError
    from llmstack.server.asgi import Scope

log = logging.getLogger(__name__)

#: Captures that may wait to be compressed; further ones are not kept.
CAPTURES_WAITING = 64
_EVICTED_FOR = "evicted for "
_MIB = 1024 * 1024


class Activity:
    """Request log, live table, captures, metrics and events of one engine.

    ``captures`` allows requests and answers to be kept in memory, within the configuration's
    ``captureBuffer``; without it no prompt is kept anywhere. ``proxy_log`` is the log of our own
    lines; without one, those of the logger ``llmstack`` are collected here. ``active_profile``
    names the active profile.

    What the doors know about a request they may leave in its scope: ``llmstack.client`` (name of
    the key that was shown) and ``llmstack.metadata`` (texts by name, for the row).

    Raises:
        LlmstackError: the configured store cannot be used.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        captures: bool = False,
        proxy_log: Log | None = None,
        active_profile: Callable[[], str | None] = lambda: None,
    ) -> None:
        config = engine.config
        self.engine = engine
        self.active_profile = active_profile
        self.events = Events()
        self.inflight = InflightTable(self.events)
        self._capturing = captures
        self.captures = CaptureCache(config.capture_buffer * _MIB if captures else 0)
        self.metrics = ModelMetrics(config.models)
        self.sampler = (
            None if config.performance.disabled else Sampler(float(config.performance.every))
        )
        path = config.store_path
        self.store = ActivityStore(
            Path(path) if path else None,
            rows=None if path else config.metrics_max_in_memory,
            on_written=self._written,
        )
        self.proxy_log = proxy_log or Log()
        self.proxy = LogTap(self.proxy_log, self._tells("proxy"), self.events.close)
        self.upstream = LogTap(engine.output, self._tells("upstream"), self.events.close)
        self._collects = proxy_log is None
        self._packer = ThreadPoolExecutor(1, thread_name_prefix="captures")
        self._packing = 0
        #: When each model was last started and became ready (``perf_counter``).
        self._loads: dict[str, tuple[float, float]] = {}
        #: Models that others are being stopped for.
        self._displacing: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        #: Whether the server is stopping and nobody may wait for events any more.
        self.retired = False
        self._handler: logging.Handler | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Listen to the engine and the logs, and sample the machine."""
        self._loop = asyncio.get_running_loop()
        self._unsubscribe = self.engine.events.subscribe(self._model_changed)
        if self._collects:
            config = self.engine.config
            lines = LineFormatter(config.log_time_format, config.secrets)
            self._handler = LogForwarder(self.proxy_log, lines)
            logging.getLogger("llmstack").addHandler(self._handler)
        runs = [self.proxy.run(), self.upstream.run()]
        if self.sampler:
            runs.append(self.sampler.run())
        self._tasks = [asyncio.ensure_future(run) for run in runs]

    def retire(self) -> None:
        """End the event streams, so that the server can stop. Rows are still taken."""
        self.retired = True
        self.events.close()

    async def stop(self) -> None:
        """Write what waits and close everything. May be repeated."""
        self.retire()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None
        if self._handler:
            logging.getLogger("llmstack").removeHandler(self._handler)
            self._handler = None
        await asyncio.to_thread(self._close)

    def routes(self) -> list[Route]:
        """The endpoints that tell of all this."""
        return activity_routes(self)

    def reconfigured(self) -> None:
        """The engine has a new configuration: its models get metrics, and clients are told.

        Store and sampling stay as they are until the next start.
        """
        config = self.engine.config
        self.metrics.set_models(config.models)
        self.captures.limit = config.capture_buffer * _MIB if self._capturing else 0
        self.profile_changed()

    def profile_changed(self) -> None:
        """Tell clients which profile is active, and the models anew."""
        if self.events.listening:
            self.events.publish("modelStatus", model_status(self.engine))
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
        inflight = self._enter(scope, model, path, cancel)
        recording = None
        if recorded and self.captures.enabled:
            recording = Recording(path, scope["headers"], body, self.captures.limit)
        name = scope.get("llmstack.client") or ""
        return Meter(self, model, path, inflight, recording, recorded=recorded, client=name)

    def refused(self, scope: Scope, model: str, error: RequestError) -> None:
        """Keep a row for a request that never came to a model, under the name it asked for."""
        path = tracked_path(scope, None)
        if scope["type"] != "http" or scope["method"] != "POST" or path is None or not model:
            return
        row = ActivityRow(
            model=model,
            req_path=path,
            resp_status_code=error.status,
            timestamp=int(time.time()),
            error_msg=str(error) or error_message(error.status, b""),
            metadata=scope.get("llmstack.metadata") or {},
            client=scope.get("llmstack.client") or "",
        )
        self.keep(row, None)

    def keep(self, row: ActivityRow, recording: Recording | None) -> None:
        """Take the row of a request that has ended, and what was recorded of it."""
        number = self.store.add(row)
        self.metrics.request(row)
        if recording is not None and self._packing < CAPTURES_WAITING:
            self._packing += 1
            with suppress(RuntimeError):  # it has been closed
                self._packer.submit(self._pack, number, recording)

    def loading_since(self, model: str, moment: float) -> float:
        """For how long ``model`` was loading after ``moment``, in its last load."""
        started, ready = self._loads.get(model, (0.0, 0.0))
        return max(0.0, ready - max(started, moment))

    def states(self) -> Mapping[str, str]:
        """Every model's state."""
        return {status.id: str(status.state) for status in self.engine.status()}

    def _enter(self, scope: Scope, model: str, path: str, cancel: Callable[[], None]) -> Inflight:
        metadata: dict[str, str] | None = scope.get("llmstack.metadata")
        priority = self.engine.config.priorities.get(model)
        if priority:
            metadata = {**(metadata or {}), "fifo_priority": str(priority)}
        client = scope.get("client")
        return self.inflight.start(
            model=model,
            req_path=path,
            method=scope["method"],
            headers=scope["headers"],
            remote_ip=client[0] if client else "",
            cancel=cancel,
            metadata=metadata,
        )

    def _pack(self, number: int, recording: Recording) -> None:
        try:
            self.captures.add(number, recording.finish())
        except Exception:  # a capture is a convenience
            log.exception("a request was not captured")
        finally:
            self._packing -= 1

    # The engine and the logs.

    def _model_changed(self, event: ModelChanged) -> None:
        model = event.model
        if event.state is State.STARTING:
            self._loads[model] = (time.perf_counter(), 0.0)
            if model in self._displacing:
                self._displacing.discard(model)
                self.metrics.swapped(model)
        elif event.state is State.READY:
            self._loads[model] = (self._loads.get(model, (0.0, 0.0))[0], time.perf_counter())
            self.metrics.loaded(model, event.after)
        elif event.state is State.STOPPING:
            if event.what.startswith(_EVICTED_FOR):
                self._displacing.add(event.what.removeprefix(_EVICTED_FOR))
                self.metrics.evicted(model, "swap")
            else:
                self.metrics.evicted(model, event.what)
        elif event.what in ("crashed", "failed"):
            self.metrics.evicted(model, event.what)
        if self.events.listening:
            self.events.publish("modelStatus", model_status(self.engine))
            self.events.publish("modelProgress", progress_of(event))

    def _tells(self, source: str) -> Callable[[str], None]:
        def tell(text: str) -> None:
            if self.events.listening:
                self.events.publish("logData", {"source": source, "data": text})

        return tell

    def _written(self, numbers: Sequence[int]) -> None:
        if self._loop and self.events.listening:
            with suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._tell_written, tuple(numbers))

    def _tell_written(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.events.publish("activity", {"id": number})

    def _close(self) -> None:
        self.store.close()
        self._packer.shutdown(wait=True)

    def initial(self) -> list[tuple[str, Any]]:
        """The events that a new client gets first, in llama-swap's order."""
        config = self.engine.config
        return [
            ("logData", {"source": "proxy", "data": self.proxy.text}),
            ("logData", {"source": "upstream", "data": self.upstream.text}),
            ("modelStatus", model_status(self.engine)),
            ("uiConfig", {"activity": {"session_id": list(config.session_headers)}}),
            ("profileChanged", {"active": self.active_profile()}),
            ("inflight", self.inflight.snapshot()),
        ]
