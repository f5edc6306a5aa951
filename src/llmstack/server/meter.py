"""One request as the activity log sees it, from its arrival to its last byte."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from llmstack.activity.estimate import PER_TOKEN, TextLength
from llmstack.activity.failure import error_message, shortened
from llmstack.activity.flow import Flowing
from llmstack.activity.inflight import About, Inflight
from llmstack.activity.price import cost_of
from llmstack.activity.record import NO_METADATA, ActivityRow
from llmstack.activity.tally import NOTHING
from llmstack.activity.timeline import phases, told
from llmstack.activity.usage import BLOCK, UsageMeter
from llmstack.routing.session import SHOWN
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.activity import Recording
    from llmstack.activity.tally import Usage
    from llmstack.backends.protocol import Answer
    from llmstack.config.stack import Prices
    from llmstack.dialects.translation.reply import Usage as ChargedUsage
    from llmstack.http1 import Response
    from llmstack.server.activity import Activity
    from llmstack.server.asgi import Headers, Scope

_UPSTREAM = "/upstream/"
#: The content type of streams.
EVENTS = "text/event-stream"
#: Encodings that ``UsageMeter`` reads.
_READABLE = (b"gzip", b"deflate", b"identity")
#: Comments in a stream of events. llama-server sends such while it reads a prompt.
_SILENCE = re.compile(rb"(?::[^\r\n]*[\r\n]+)+")
#: Longest text of a client's or a model's that is kept in a row, in characters.
LONGEST = 200
#: Statuses that need no explanation: an answer, and a WebSocket that was accepted.
_SUCCESS = (200, 101)
#: The first status of a failure.
_FAILURE = 400


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
    """Follows one request in the live table; after ``finish``, ``row`` is what is kept of it.

    This is run for every request, so it only notes what passes. What is kept is made of it later,
    for many requests at once, and what is shown when somebody looks.
    """

    __slots__ = (
        "_activity",
        "_answer",
        "_ended",
        "_error",
        "_first",
        "_gathered",
        "_queued",
        "_scope",
        "_sent",
        "_size",
        "_stamp",
        "_status",
        "_text",
        "_usage",
        "_waited",
        "answered",
        "recorded",
        "recording",
        "used",
    )

    def __init__(
        self,
        activity: Activity,
        scope: Scope,
        model: str,
        path: str,
        recording: Recording | None,
        cancel: Callable[[], None],
        *,
        recorded: bool,
        sent: int = 0,
    ) -> None:
        super().__init__(activity.inflight, cancel, model, path)
        self._activity = activity
        self._scope = scope
        self._answer: Response | Answer | None = None
        self._usage: UsageMeter | None = None
        #: Bytes of the request's body, and what is written in answers that cost something.
        self._sent = sent
        self._text: TextLength | None = None
        #: Pieces of the answer that have not been looked at, and their bytes.
        self._gathered: list[bytes] = []
        self._size = 0
        self._first: float | None = None
        self._waited = 0.0
        self._queued: float | None = None
        #: What is captured of the exchange.
        self.recording = recording
        #: Whether a row will be kept, so that the answer should be readable.
        self.recorded = recorded
        #: Is told what the answer used, and says what the row is to tell of the prompt.
        self.used: Callable[[ChargedUsage], dict[str, str]] | None = None
        #: Whether the head of an answer has gone to the client.
        self.answered = False
        if self.table.events.listening:
            self.tell()

    def about(self) -> About:
        """What the live table shows of the request."""
        scope = self._scope
        client = scope.get("client")
        return About(
            scope.get("method", "GET"),
            scope["headers"],
            client[0] if client else "",
            self._activity.metadata(scope, self.model),
        )

    def more(self) -> dict[str, Any]:
        """What llmstack shows of the request beyond llama-swap's entry; texts that are not empty.

        ``timeline`` has the phases so far, the last one of which is ``phase``.
        """
        scope = self._scope
        now = self.table.now() - self.began
        first = None if self._first is None else self._first - self.began
        passed = phases(now, *self._waits(now), first)
        found = told((phase, 1000 * start, 1000 * length) for phase, start, length in passed)
        session = scope.get("llmstack.session") or b""
        texts = {
            "phase": found[-1]["phase"] if found else "queued",
            "tier": self.tier,
            "session": session.hex()[:SHOWN],
            "client": scope.get("llmstack.client") or "",
            "reason": scope.get("llmstack.reason") or "",
        }
        return {**{name: text for name, text in texts.items() if text}, "timeline": found}

    def _waits(self, now: float) -> tuple[float | None, float | None]:
        """How long it waited for its turn, and for its model to load, ``now`` after its arrival."""
        if self._queued is not None:
            return self._queued, self._waited - self._queued
        if self._scope.get("llmstack.backend", "local") != "local":
            return 0.0, None  # nobody queues here for what others host
        began = self._activity.watch.loading_from(self.model)
        if began is None:
            return (0.0, None) if self._activity.admits(self.model) else (None, None)
        queued = max(began - self.began, 0.0)
        return queued, now - queued

    @property
    def scope(self) -> Scope:
        """The request, and what the doors know of it."""
        return self._scope

    def flowing(self) -> Flowing | None:
        """How far its answer has come, None while none is streamed."""
        answer, first = self._answer, self._first
        if first is None or answer is None:
            return None
        if not _header(answer, b"content-type").startswith(EVENTS):
            return None
        return Flowing(self._number, self.model, self.resp_bytes, first)

    @property
    def number(self) -> int:
        """The number in the live table."""
        return self._number

    @property
    def worked(self) -> float:
        """Seconds from when its model was there to the answer's end; for one that has ended."""
        return max(self._ended - self.began - self._waited, 0.0)

    def leased(self, waited: float) -> None:
        """The model is there, after ``waited`` seconds of queueing and loading."""
        self._queued = self._waited = waited
        if waited > 0:
            loading = self._activity.watch.loading_since(self.model, self.began)
            self._queued = waited - min(waited, loading)
            if self.table.events.listening:
                self.tell()

    @property
    def tier(self) -> str:
        """The tier that answers, if it is one."""
        return self._scope.get("llmstack.tier") or self._activity.tier(self.model)

    def answer(self, response: Response | Answer, headers: Headers) -> None:
        """The model's answer begins; ``headers`` are what the client gets."""
        self.answered = True
        self._answer = response
        self.resp_headers = headers
        if self.recording is not None:
            self.recording.answer(response.status, headers)
        if self.table.events.listening:
            self.tell()

    def feed(self, chunk: bytes) -> None:
        """More of the answer passes."""
        if self._first is None and chunk and not _SILENCE.fullmatch(chunk):
            self._first = self.table.now()
        size = len(chunk)
        self.passed(size)
        if self.recorded:
            self._gathered.append(chunk)
            self._size += size
            if self._size >= BLOCK:
                self._look()
            if self.recording is not None:
                self.recording.feed(chunk)

    def finish(self, status: int, error: str = "") -> None:
        """The request is over. ``error`` is our own reason for a failure."""
        self.end()
        if self.recorded:
            self._status, self._error = status, error
            self._ended, self._stamp = self.table.now(), time.time()
            self._activity.finished(self)

    def row(self) -> ActivityRow:
        """What is kept; to be called once, after ``finish``."""
        content_type, usage = "", NOTHING
        error, status, began, scope = self._error, self._status, self.began, self._scope
        activity, cost, estimated = self._activity, None, ""
        metadata = activity.metadata(scope, self.model)
        tier = self.tier
        answer = self._answer
        if answer is not None:
            meter = self._look()
            content_type = meter.content_type
            usage = meter.result()
            # What the backend knows wins over what the bytes say.
            if (known := getattr(answer, "usage", None)) is not None:
                usage = usage.known(known)
            if self.used is not None and usage.found and status == _SUCCESS[0]:
                metadata = {**(metadata or {}), **self.used(usage.charged())}
            if not error:
                error = getattr(answer, "problem", "")
            if not error and status not in _SUCCESS:
                error = meter.failure(status)
            if (prices := activity.prices.get(tier)) is not None:
                cost, estimated = self._cost(answer, usage, prices)
                if estimated:
                    metadata = {**(metadata or {}), "estimated": estimated}
        elif not error and status not in _SUCCESS:
            error = error_message(status, b"")
        queued, waited = self._queued, self._waited
        return ActivityRow(
            self.model,
            self.req_path,
            status,
            int(self._stamp),
            content_type[:LONGEST],
            usage,
            usage.duration_ms((self._ended - began) * 1000),
            shortened(error) if error else usage.problem,
            metadata or NO_METADATA,
            None if self._first is None else round((self._first - began) * 1000),
            None if queued is None else round(queued * 1000),
            None if queued is None or waited == queued else round((waited - queued) * 1000),
            scope.get("llmstack.client") or "",
            tier,
            scope.get("llmstack.reason") or "",
            scope.get("llmstack.backend") or "",
            scope.get("llmstack.instead_of") or "",
            cost,
        )

    def _cost(
        self, answer: Response | Answer, usage: Usage, prices: Prices
    ) -> tuple[float | None, str]:
        """US dollars, and what of it is estimated (``input and output``, ``output`` or nothing).

        An answer that broke off before it told its tokens has cost something all the same: what was
        written until then is counted, and the prompt as routing did or by its bytes. Of tokens that
        come to less than half of that, it is taken that they were told at the answer's beginning;
        words without any token are not free either.
        """
        charged = usage.charged()
        written = self._text.tokens if self._text else 0
        ended = answer.exhausted and not getattr(answer, "problem", "")
        some = charged.input or charged.output
        told = some and (ended or written <= 2 * charged.output)
        if told or not written or answer.status >= _FAILURE:
            return (cost_of(charged, prices) if usage.found else None), ""
        estimated = "output"
        if not charged.input:
            estimated = "input and output"
            prompt = self._scope.get("llmstack.tokens") or -(-self._sent // PER_TOKEN)
            charged = replace(charged, input=prompt)
        return cost_of(replace(charged, output=written), prices), estimated

    def _look(self) -> UsageMeter:
        """Look at what has gathered."""
        usage = self._usage
        if usage is None:
            assert self._answer
            prices = self._activity.prices
            if prices and self.tier in prices:
                self._text = TextLength()
            usage = self._usage = UsageMeter(
                self.req_path,
                _header(self._answer, b"content-type"),
                _header(self._answer, b"content-encoding"),
                text=self._text,
            )
        if gathered := self._gathered:
            usage.feed(gathered[0] if len(gathered) == 1 else b"".join(gathered))
            gathered.clear()
            self._size = 0
        return usage


def _header(response: Response | Answer, name: bytes) -> str:
    return (response.header(name) or b"").decode("latin-1")
