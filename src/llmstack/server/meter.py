"""One request as the activity log sees it, from its arrival to its last byte."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmstack.activity.failure import error_message
from llmstack.activity.record import ActivityRow
from llmstack.activity.tally import Usage
from llmstack.activity.usage import UsageMeter
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.activity import Inflight, Recording
    from llmstack.http1 import Response
    from llmstack.server.activity import Activity
    from llmstack.server.asgi import Headers, Scope

_UPSTREAM = "/upstream/"
#: Encodings that ``UsageMeter`` reads.
_READABLE = (b"gzip", b"deflate", b"identity")
_NOTHING = Usage()


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


class Meter:
    """Follows one request; ``finish`` writes its row. Nothing of the answer is held here."""

    __slots__ = (
        "_activity",
        "_begun",
        "_client",
        "_content_type",
        "_feed_usage",
        "_first",
        "_inflight",
        "_metadata",
        "_model",
        "_passed",
        "_path",
        "_queued",
        "_recorded",
        "_recording",
        "_usage",
        "_waited",
        "answered",
    )

    def __init__(
        self,
        activity: Activity,
        model: str,
        path: str,
        inflight: Inflight,
        recording: Recording | None,
        *,
        recorded: bool,
        client: str = "",
    ) -> None:
        self._activity = activity
        self._begun = time.perf_counter()
        self._model = model
        self._path = path
        self._inflight = inflight
        self._passed = inflight.passed
        self._recording = recording
        self._recorded = recorded
        self._client = client
        self._metadata: Mapping[str, str] = inflight.metadata
        self._content_type = ""
        self._usage: UsageMeter | None = None
        self._feed_usage: Callable[[bytes], None] | None = None
        self._first: float | None = None
        self._waited: float | None = None
        self._queued: float | None = None
        #: Whether the head of an answer has gone to the client.
        self.answered = False

    @property
    def recorded(self) -> bool:
        """Whether a row will be kept, so that the answer should be readable."""
        return self._recorded

    def leased(self, waited: float) -> None:
        """The model is there, after ``waited`` seconds of queueing and loading."""
        self._waited = waited
        loading = 0.0
        if waited > 0:
            loading = min(waited, self._activity.loading_since(self._model, self._begun))
        self._queued = waited - loading

    def answer(self, response: Response, headers: Headers) -> None:
        """The model's answer begins; ``headers`` are what the client gets."""
        self.answered = True
        content_type = encoding = None
        for name, value in response.headers:
            if name == b"content-type":
                content_type = value
            elif name == b"content-encoding":
                encoding = value
        self._content_type = (content_type or b"").decode("latin-1")
        if self._recorded:
            self._usage = UsageMeter(
                self._path, self._content_type, encoding.decode("latin-1") if encoding else None
            )
            self._feed_usage = self._usage.feed
        if self._recording is not None:
            self._recording.answer(response.status, headers)
        self._inflight.answer(headers)

    def feed(self, chunk: bytes) -> None:
        """More of the answer passes."""
        if self._first is None and chunk:
            self._first = time.perf_counter()
        self._passed(len(chunk))
        if self._feed_usage is not None:
            self._feed_usage(chunk)
        if self._recording is not None:
            self._recording.feed(chunk)

    def finish(self, status: int, error: str = "", reason: str = "") -> None:
        """The request is over. ``error`` is our own reason for a failure, ``reason`` routing's."""
        self._inflight.end()
        if not self._recorded:
            return
        now = time.perf_counter()
        usage = self._usage.result() if self._usage is not None else _NOTHING
        if not error:
            if status == 200:
                error = usage.problem
            elif self._usage is not None:
                error = self._usage.failure(status)
            else:
                error = error_message(status, b"")
        queued, waited, first = self._queued, self._waited, self._first
        row = ActivityRow(
            model=self._model,
            req_path=self._path,
            resp_status_code=status,
            timestamp=int(time.time()),
            resp_content_type=self._content_type,
            usage=usage,
            duration_ms=usage.duration_ms((now - self._begun) * 1000),
            error_msg=error,
            metadata=self._metadata,
            ttft_ms=None if first is None else round((first - self._begun) * 1000),
            queue_ms=None if queued is None else round(queued * 1000),
            load_ms=None
            if queued is None or waited is None or waited == queued
            else round((waited - queued) * 1000),
            client=self._client,
            reason=reason,
        )
        self._activity.keep(row, self._recording)
