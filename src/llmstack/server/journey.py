"""The stops of one request, until one of them answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from llmstack.backends.whole_answer import WholeAnswer
from llmstack.errors import BackendFailed, RequestError
from llmstack.http1 import Broken
from llmstack.server.stop import may_go_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from llmstack.backends.protocol import Answer
    from llmstack.engine import Lease
    from llmstack.server.asgi import Headers
    from llmstack.server.fitter import Fit, Fitter
    from llmstack.server.loading import LoadingNotice
    from llmstack.server.meter import Meter
    from llmstack.server.stop import Stop

#: Characters of a failure that a header repeats.
SHOWN = 200
#: Statuses with which a prompt that is too long is refused, and bytes that such an answer may have.
OVERFLOWS = (400, 413, 422)
LARGEST = 1024 * 1024


class Journey:
    """Goes from ``stop`` to ``others``, in their order, as far as it must.

    ``extra`` are headers for the answer; ``named`` adds those that name the model that answered.
    ``fitter`` makes the request fit each stop.
    """

    __slots__ = ("_extra", "_failures", "_first", "_fit", "_fitter", "_named", "_others", "stop")

    def __init__(
        self,
        stop: Stop,
        others: Iterator[Stop],
        extra: Headers,
        *,
        named: bool,
        fitter: Fitter | None = None,
    ) -> None:
        self.stop = stop
        self._fitter = fitter
        self._fit: Fit | None = None
        self._first = stop
        self._others = others
        self._extra = extra
        self._named = named
        self._failures: list[str] = []
        _note_in_scope(stop, stop)

    async def open(self, notice: LoadingNotice | None, meter: Meter | None) -> Answer:
        """The answer of the first stop that gives one.

        Raises:
            RequestError: none did; it is the first one's, which is what the client asked for.
        """
        first: RequestError | None = None
        wait = Wait(notice, meter)
        recorded = meter is not None and meter.recorded
        while True:
            stop = self.stop
            try:
                answer = await self._opened(wait, recorded=recorded)
                if meter and self._fit and self._fitter:
                    meter.used = partial(self._fitter.ended, self._fit)
                    self._first.scope["llmstack.fitted"] = self._fit.report
                return answer
            except RequestError as error:
                first = first or error
                after = next(self._others, None) if may_go_elsewhere(error) else None
                if after is None:
                    raise first from (None if first is error else error)
                self._failures.append(f"{stop.name}: {_line(error)}")
                self.stop = after
                _note_in_scope(self._first, after)
                if meter:
                    meter.model = after.name

    async def _opened(self, wait: Wait, *, recorded: bool) -> Answer:
        """The answer of the present stop, to the request as it fits there."""
        stop, fitter = self.stop, self._fitter
        self._fit = None  # that of another stop, if this one raises
        fit = self._fit = await fitter.fit(stop, wait) if fitter else None
        if fitter is None or fit is None:
            return await stop.backend.open(stop.ask(wait, recorded=recorded))
        try:
            answer = await stop.backend.open(fit.stop.ask(wait, recorded=recorded))
        except BackendFailed as error:
            shorter = await fitter.again(fit, error.status, str(error).encode(), wait)
            if shorter is None:
                raise
        else:
            if answer.status not in OVERFLOWS:
                return answer
            said = await _said(answer)
            shorter = await fitter.again(fit, answer.status, said, wait)
            if shorter is None:
                return WholeAnswer(answer.status, answer.headers, said)
        self._fit = shorter
        return await stop.backend.open(shorter.stop.ask(wait, recorded=recorded))

    def headers(self) -> Headers:
        """Headers for the answer of the present stop."""
        if not self._named:
            return self._extra
        headers = [(b"x-llmstack-model", header_value(self.stop.name)), *self._extra]
        if self._failures:
            headers.append((b"x-llmstack-fallback", header_value("; ".join(self._failures))))
        return headers + self._fit.headers() if self._fit else headers

    def note(self) -> str:
        """For the log line."""
        return f" fallback: {'; '.join(self._failures)}" if self._failures else ""


class Wait:
    """Tells client and record of a request that it waits for its model."""

    __slots__ = ("_meter", "_notice", "_waited")

    def __init__(self, notice: LoadingNotice | None, meter: Meter | None) -> None:
        self._notice = notice
        self._meter = meter
        self._waited = 0.0

    async def wait(
        self, lease: Coroutine[Any, Any, Lease], position: Callable[[], int | None]
    ) -> Lease:
        """The lease, once it is there."""
        if self._notice and not self._notice.begun:
            return await self._notice.wait(lease, position)
        return await lease

    def leased(self, waited: float) -> None:
        """The model is there; it may be leased more than once for one request."""
        self._waited += waited
        if self._meter:
            self._meter.leased(self._waited)


def header_value(text: str) -> bytes:
    """``text`` as the value of a header: one line of printable ASCII."""
    return _printable(text).encode("ascii", "replace")


async def _said(answer: Answer) -> bytes:
    """The whole of an error answer."""
    said = b""
    try:
        while not answer.exhausted and len(said) < LARGEST:
            said += await answer.read()
    except Broken:
        pass  # what has come is what it said
    finally:
        answer.close()
    return said


def _line(error: RequestError) -> str:
    """For header and log: an upstream's words must not look like lines of ours."""
    told = error.what if len(error.what) <= SHOWN else f"{error.what[:SHOWN]}..."
    return f"{error.status} {_printable(told)}"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def _note_in_scope(first: Stop, stop: Stop) -> None:
    """For the record of the request, which is kept in the scope of its first stop."""
    scope = first.scope
    scope["llmstack.backend"] = stop.kind
    if stop.tier:
        scope["llmstack.tier"] = stop.tier
    if stop is not first:
        scope["llmstack.instead_of"] = first.name
