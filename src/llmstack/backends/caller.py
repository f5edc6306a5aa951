"""Sends a request to one upstream: through its breaker, and again where that is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmstack.backends.breaker import Refused
from llmstack.backends.refusal import error_body, is_ours, refusal
from llmstack.backends.retry import BUSY, pause
from llmstack.backends.standing import BARRED
from llmstack.errors import BackendFailed
from llmstack.http1 import Limits, TooLate, Unreachable

if TYPE_CHECKING:
    from collections.abc import Container

    from llmstack.backends.outgoing import Credentials
    from llmstack.backends.protocol import Headers, House, Upstream
    from llmstack.backends.standing import Standing
    from llmstack.http1 import Response

#: Seconds between TCP's own probes of a connection that says nothing.
_PROBE = 30.0
#: Seconds within which the end of a kept connection has nothing to do with the request on it.
STALE = 1.0


class Request(NamedTuple):
    """One request as it goes out. ``model`` is what it is for, empty for none."""

    method: str
    base: str
    target: bytes
    headers: Headers
    body: bytes = b""
    model: str = ""


class _Failure(NamedTuple):
    error: BackendFailed
    #: Whether nothing can have been done for the request, so that it may be sent again.
    safe: bool


class Caller:
    """The way to the upstream whose ``standing`` this is."""

    def __init__(
        self, upstream: Upstream, house: House, standing: Standing, credentials: Credentials
    ) -> None:
        self._name = upstream.name
        self._hosted = hosted = upstream.hosted
        self._house = house
        self._standing = standing
        self._credentials = credentials
        self._limits = Limits(
            connect=hosted.connect_timeout or None,
            handshake=hosted.connect_timeout or None,
            head=hosted.first_byte_timeout or None,
            probe=_PROBE,
            stale=STALE,
        )

    async def send(self, request: Request, *, passing: Container[int] = ()) -> Response:
        """The answer, if it is one that may be the client's business: statuses below 500 but for
        those about our key, our haste and our address; and those in ``passing``.

        Raises:
            BackendFailed: there is none.
        """  # noqa: D205  the rule is one sentence
        begun = self._house.now()
        last: BackendFailed | None = None
        attempt = 1
        while True:
            entry = self._standing.breaker.enter(request.model)
            if isinstance(entry, Refused):
                raise last or self._closed(entry)
            try:
                outcome = await self._once(request, passing)
                if not isinstance(outcome, _Failure):
                    entry.succeeded()
                elif _is_failure(outcome.error):
                    entry.failed()
                else:
                    entry.succeeded()
            finally:
                entry.left()  # says nothing if something has been said
            self._note(outcome)
            if not isinstance(outcome, _Failure):
                return outcome
            last = outcome.error
            seconds = None
            if outcome.safe:
                seconds = pause(
                    attempt,
                    retries=self._hosted.retries,
                    spent=self._house.now() - begun,
                    random=self._house.random(),
                    retry_after=last.retry_after,
                )
            if last.status == 429 and last.retry_after:
                self._standing.breaker.hold(request.model, last.retry_after)
            if seconds is None:
                raise last
            await self._house.sleep(seconds)
            attempt += 1

    async def _once(self, request: Request, passing: Container[int]) -> Response | _Failure:
        method, base, target, headers, body, _ = request
        try:
            response = await self._house.pool.request(
                method, base, target, headers, body, self._limits
            )
        except TooLate as error:
            return _Failure(self._unreachable(str(error), status=504, code="timeout"), safe=False)
        except Unreachable as error:
            return _Failure(self._unreachable(str(error)), safe=not error.connected)
        status = response.status
        if status in passing or not is_ours(status):
            return response
        try:
            said = await error_body(response)
        finally:
            response.close()
        key, hidden = self._hosted.api_key_env, self._credentials.hidden
        failed = refusal(response, said, name=self._name, key=key, hidden=hidden)
        return _Failure(failed, safe=status in BUSY)

    def _note(self, outcome: Response | _Failure) -> None:
        standing = self._standing
        standing.answered = not (isinstance(outcome, _Failure) and _is_failure(outcome.error))
        failed = outcome.error.what if isinstance(outcome, _Failure) else ""
        standing.problem = failed.removeprefix(f"{self._name} ")
        refused = isinstance(outcome, _Failure) and outcome.error.status == 401
        standing.barred = self._house.now() + BARRED if refused else 0.0

    def _unreachable(
        self, why: str, *, status: int = 502, code: str = "bad_gateway"
    ) -> BackendFailed:
        what = "did not answer in time" if status == 504 else "cannot be reached"
        return BackendFailed(
            f"{self._name} {what}: {why}", status=status, code=code, elsewhere=True
        )

    def _closed(self, refused: Refused) -> BackendFailed:
        if refused.reason == "hold":
            return BackendFailed(
                f"{self._name} asked to be left alone for a while",
                status=429,
                code="rate_limit_exceeded",
                retry_after=refused.wait,
                elsewhere=True,
            )
        return BackendFailed(
            f"{self._name} is not asked for now: it failed several times in a row",
            status=503,
            code="circuit_open",
            retry_after=refused.wait or 1.0,
            elsewhere=True,
            why=self._standing.problem_of(self._name),
        )


def _is_failure(error: BackendFailed) -> bool:
    """Whether an error speaks against the upstream, and not against the request or our haste."""
    return error.status >= 500 and error.status != 501
