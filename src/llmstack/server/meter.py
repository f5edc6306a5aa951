"""One request as the activity log sees it, from its arrival to its last byte."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmstack.activity.failure import error_message, shortened
from llmstack.activity.inflight import Inflight
from llmstack.activity.record import NO_METADATA, ActivityRow
from llmstack.activity.tally import NOTHING
from llmstack.activity.usage import UsageMeter
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.activity import Recording
    from llmstack.http1 import Response
    from llmstack.server.activity import Activity
    from llmstack.server.asgi import Headers, Scope

_UPSTREAM = "/upstream/"
#: Encodings that ``UsageMeter`` reads.
_READABLE = (b"gzip", b"deflate", b"identity")
#: Statuses that need no explanation: an answer, and a WebSocket that was accepted.
_SUCCESS = (200, 101)


def tracked_path(scope: Scope, raw_path: bytes | None) -> str | None:
    """The path under which a request is shown, None for one that is not a model's business.

    It is the path as the model process sees it: without ``/v``, ``/audioapi`` and ``/upstream/…``.
    """
    path: str = scope["path"]
    routes = MODEL_POSTS if scope["method"] == "POST" else MODEL_GETS
    if raw_path is None:
        return path if path in routes else None
    sent = raw_path.decode("latin-1")
    if path.startswith(_UPSTREAM):
        return sent if sent in routes else None
    return sent if path in routes or sent in routes else None


def readable_headers(headers: Headers) -> Headers:
    """``headers`` with ``Accept-Encoding`` cut down to what the log reads, as llama-swap does."""
    for name, value in headers:
        if name == b"accept-encoding" and value not in _READABLE:
            break
    else:
        return headers
    return [
        (name, _readable(value) if name == b"accept-encoding" else value) for name, value in headers
    ]


def _readable(value: bytes) -> bytes:
    entries = (entry.strip() for entry in value.split(b","))
    return b", ".join(e for e in entries if e.partition(b";")[0].strip().lower() in _READABLE)


class Meter(Inflight):
    """Follows one request in the live table; ``finish`` writes its row.

    Nothing of the answer is held here. This is run for every request, so it only notes what
    passes; what is shown is made when somebody looks.
    """

    __slots__ = (
        "_activity",
        "_client",
        "_content_type",
        "_feed_usage",
        "_first",
        "_queued",
        "_recording",
        "_scope",
        "_usage",
        "_waited",
        "answered",
        "recorded",
    )

    def __init__(
        self,
        activity: Activity,
        scope: Scope,
        model: str,
        path: str,
        recording: Recording | None,
        metadata: Mapping[str, str] | None,
        cancel: Callable[[], None],
        *,
        recorded: bool,
    ) -> None:
        client = scope.get("client")
        super().__init__(
            activity.inflight,
            cancel,
            model=model,
            req_path=path,
            method=scope.get("method", "GET"),
            headers=scope["headers"],
            remote_ip=client[0] if client else "",
            metadata=metadata,
        )
        self._activity = activity
        self._scope = scope
        self._recording = recording
        self._content_type = ""
        self._usage: UsageMeter | None = None
        self._feed_usage: Callable[[bytes], None] | None = None
        self._first: float | None = None
        self._waited = 0.0
        self._queued: float | None = None
        #: Whether a row will be kept, so that the answer should be readable.
        self.recorded = recorded
        #: Whether the head of an answer has gone to the client.
        self.answered = False

    def leased(self, waited: float) -> None:
        """The model is there, after ``waited`` seconds of queueing and loading."""
        self._queued = self._waited = waited
        if waited > 0:
            loading = self._activity.watch.loading_since(self.model, self.began)
            self._queued = waited - min(waited, loading)

    def answer(self, response: Response, headers: Headers) -> None:
        """The model's answer begins; ``headers`` are what the client gets."""
        self.answered = True
        if self.recorded:
            encoding = None
            for name, value in response.headers:
                if name == b"content-type":
                    self._content_type = value.decode("latin-1")
                elif name == b"content-encoding":
                    encoding = value.decode("latin-1")
            self._usage = UsageMeter(self.req_path, self._content_type, encoding)
            self._feed_usage = self._usage.feed
        if self._recording is not None:
            self._recording.answer(response.status, headers)
        self.head(headers)

    def feed(self, chunk: bytes) -> None:
        """More of the answer passes."""
        if self._first is None and chunk:
            self._first = self.table.now()
        self.passed(len(chunk))
        if self._feed_usage is not None:
            self._feed_usage(chunk)
        if self._recording is not None:
            self._recording.feed(chunk)

    def finish(self, status: int, error: str = "") -> None:
        """The request is over. ``error`` is our own reason for a failure."""
        self.end()
        if not self.recorded:
            return
        activity, began, scope = self._activity, self.began, self._scope
        took = (self.table.now() - began) * 1000
        usage = NOTHING
        if self._usage is not None:
            usage = self._usage.result()
            took = max(took, usage.model_ms)
        if not error and status not in _SUCCESS:
            error = self._usage.failure(status) if self._usage else error_message(status, b"")
        queued, waited = self._queued, self._waited
        row = ActivityRow(
            self.model,
            self.req_path,
            status,
            int(time.time()),
            self._content_type,
            usage,
            round(took),
            shortened(error) if error else usage.problem,
            self.metadata or NO_METADATA,
            None if self._first is None else round((self._first - began) * 1000),
            None if queued is None else round(queued * 1000),
            None if queued is None or waited == queued else round((waited - queued) * 1000),
            scope.get("llmstack.client") or "",
            scope.get("llmstack.tier") or (self.model if self.model in activity.tiers else ""),
            scope.get("llmstack.reason") or "",
        )
        activity.keep(row, self._recording)
