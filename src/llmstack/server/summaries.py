"""Summaries of what a request can no longer carry, written by the model that answers it."""

from __future__ import annotations

import asyncio
import logging
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from llmstack.context.summary import read_summary
from llmstack.errors import RequestError
from llmstack.http1 import Broken
from llmstack.server.journey import Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.context.needs import NeedSummary
    from llmstack.server.activity import Activity
    from llmstack.server.meter import Meter
    from llmstack.server.stop import Stop

log = logging.getLogger(__name__)

#: Failures in a row, useless answers too, after which a model is not asked for a summary, and
#: seconds until it is again.
FAILURES, PAUSE = 3, 300.0
#: Summaries that one model writes at once: clients that leave must not fill its queue with them.
AT_ONCE: Final = 4
#: What the record of a summary says for its reason, and its status where there was no answer.
REASON: Final = "a summary of what no longer fits"
TIMED_OUT, BROKEN = 504, 502
#: Bytes of an answer that may hold one.
LARGEST: Final = 4 * 1024 * 1024


class Summaries:
    """Asks for summaries: once for all who need the same one at the same time.

    A summary that nobody waits for any more is still written, since the next request of that
    conversation will want it. ``now`` is monotonic seconds. ``activity`` keeps a row of each: they
    cost what other answers cost.
    """

    def __init__(self, now: Callable[[], float], activity: Activity | None = None) -> None:
        self._now = now
        self._activity = activity
        self._tasks: dict[tuple[str, bytes], asyncio.Task[bytes | None]] = {}
        self._failures: dict[str, tuple[int, float]] = {}

    async def write(self, stop: Stop, need: NeedSummary) -> bytes | None:
        """What the model answers to ``need``; None when it does not, in time or at all."""
        failures, since = self._failures.get(stop.name, (0, 0.0))
        if failures >= FAILURES and self._now() - since < PAUSE:
            return None
        key = stop.name, blake2b(need.body, digest_size=16).digest()
        task = self._tasks.get(key)
        if task is None:
            if sum(name == stop.name for name, _ in self._tasks) >= AT_ONCE:
                return None
            task = self._tasks[key] = asyncio.create_task(self._ask(stop, need))
            task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End those that are being written."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, stop: Stop, need: NeedSummary) -> bytes | None:
        said = None
        # What was decided and done for the request is not what is known of its summary.
        own = {"llmstack.reason": REASON, "llmstack.choice": None, "llmstack.fitted": None}
        scope = {**stop.scope, **own}
        stop = replace(stop, scope=scope, body=need.body, stream=False)
        status, failure, meter = TIMED_OUT, "", None
        try:
            async with asyncio.timeout(need.timeout) as limit:
                if self._activity:
                    meter = self._begin(self._activity, stop, limit)
                status, said = await _answer(stop, meter)
        except TimeoutError:
            failure = f"no summary within {need.timeout:g} s"
        except (RequestError, Broken) as error:
            status = error.status if isinstance(error, RequestError) else BROKEN
            failure = f"no summary: {error}"
        finally:
            if meter:
                meter.finish(status, failure)
        if failure:
            log.warning("%s: %s", stop.name, failure)
        if said is not None and read_summary(need.api, said) is None:
            log.warning("%s: what it wrote is no summary", stop.name)
            said = None
        if said is None:
            failures, _ = self._failures.get(stop.name, (0, 0.0))
            self._failures[stop.name] = failures + 1, self._now()
        else:
            self._failures.pop(stop.name, None)
        return said

    def _begin(self, activity: Activity, stop: Stop, limit: asyncio.Timeout) -> Meter | None:
        # Who cancels it in the live table ends the wait for it, not the request that wants it.
        now = asyncio.get_running_loop().time
        return activity.begin(
            stop.scope, stop.name, stop.body, stop.raw_path, lambda: limit.reschedule(now())
        )


async def _answer(stop: Stop, meter: Meter | None) -> tuple[int, bytes | None]:
    answer = await stop.backend.open(stop.ask(Wait(None, meter), recorded=True))
    try:
        if meter:
            meter.answer(answer, answer.headers)
        said = b""
        while not answer.exhausted and len(said) < LARGEST:
            piece = await answer.read()
            said += piece
            if meter:
                meter.feed(piece)
        whole = answer.status == 200 and answer.exhausted
        return answer.status, said if whole else None
    finally:
        answer.close()
