"""Following a stack: its overview and its live requests, second by second."""

from __future__ import annotations

import http.client
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llmstack.client.http import Refused, get_json, opened, read_events
from llmstack.client.overview import Live, Overview, read_live, read_overview
from llmstack.errors import DaemonError, LlmstackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Seconds without a word after which a connection counts as dead; an overview comes every second.
SILENCE = 10.0

#: Seconds between two attempts to reach a stack, and to reach one that refuses the key.
AGAIN, AGAIN_REFUSED = 1.0, 10.0

#: Live requests that are kept; more would not be seen.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What was last seen of a stack.

    ``live`` are requests with their age in seconds, oldest first, ``served`` the context in tokens
    that models serve. ``trouble`` is why nothing has been seen for ``silent_s`` seconds. ``raw`` is
    the overview as it came.
    """

    gateway: str = ""
    overview: Overview | None = None
    raw: Any = None
    live: tuple[tuple[Live, float], ...] = ()
    served: Mapping[str, float] | None = None
    trouble: LlmstackError | None = None
    silent_s: float = 0.0


def ask(base: str, key: str = "") -> Any:
    """The overview of the stack at ``base`` as it came.

    Raises:
        DaemonError: no answer, the key is refused, or there is no overview.
    """
    try:
        raw = get_json(base, "/api/overview", key=key)
    except Refused as error:
        if error.status != 404:
            raise
        raise DaemonError(
            f"{base} has no overview",
            why="It is an older llmstack, or another server.",
            fix="After an update: llmstack restart",
        ) from error
    read_overview(raw)
    return raw


def watch(base: str, key: str = "", *, now: Callable[[], float] = time.monotonic) -> Iterator[Seen]:
    """What is seen of the stack at ``base``, about once a second, until it ends the stream.

    Raises:
        DaemonError: as ``ask``; or the stream breaks off.
    """
    ask(base, key)
    live: dict[str, tuple[Live, float]] = {}
    states: object = None
    served: Mapping[str, float] = {}
    with opened(base, "/api/events?overview=1", SILENCE, key=key) as answer:
        try:
            for kind, data in read_events(answer):
                if kind == "inflight":
                    live = apply_inflight(live, data, now())
                if kind != "overview":
                    continue
                overview = read_overview(data)
                if states != (states := [(model.id, model.state) for model in overview.models]):
                    served = _served(base, key)
                moment = now()
                shown = tuple((one, moment - began) for one, began in live.values())
                yield Seen(base, overview, data, shown, served)
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise DaemonError(f"{base} does not answer any more", why=str(error)) from error


def apply_inflight(
    live: Mapping[str, tuple[Live, float]], event: Any, now: float
) -> dict[str, tuple[Live, float]]:
    """The live requests after an ``inflight`` event, each with the moment it began.

    Raises:
        DaemonError: the event is none.
    """
    if not isinstance(event, dict):
        raise DaemonError("what it tells of its requests cannot be read")
    operation = event.get("operation")
    if operation == "snapshot":
        told = event.get("requests")
        rows = [read_live(row) for row in told[:MOST]] if isinstance(told, list) else []
        return {row.id: _begun(row, now) for row in rows}
    if operation == "upsert":
        row = read_live(event.get("request"))
        if row.id in live:
            return {**live, row.id: (row, live[row.id][1])}
        return {**live, row.id: _begun(row, now)} if len(live) < MOST else dict(live)
    if operation == "remove":
        gone = event.get("id")
        return {number: entry for number, entry in live.items() if number != gone}
    return dict(live)


def sightings(
    where: Callable[[], tuple[str, str]],
    *,
    pause: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[Seen]:
    """``watch`` without an end: what cannot be seen is told as ``trouble``, and tried again.

    ``where`` gives the base URL and the key anew for every attempt; it may raise
    ``LlmstackError``.
    """
    last, heard = Seen(), now()
    while True:
        wait = AGAIN
        try:
            base, key = where()
            for seen in watch(base, key, now=now):
                last, heard = seen, now()
                yield seen
            trouble: LlmstackError = DaemonError(f"{base} has ended the stream")
        except LlmstackError as error:
            trouble = error
            if isinstance(error, Refused) and error.status in (401, 403):
                wait = AGAIN_REFUSED
        yield replace(last, live=(), trouble=trouble, silent_s=now() - heard)
        pause(wait)


def _begun(row: Live, now: float) -> tuple[Live, float]:
    return row, now - max(0.0, row.elapsed_ms) / 1000


def _served(base: str, key: str) -> dict[str, float]:
    """The context that each model serves now; empty where the server does not say."""
    found: dict[str, float] = {}
    with suppress(LlmstackError, AttributeError, KeyError, TypeError):
        rows = get_json(base, "/api/models", key=key)
        for row in rows["models"] if isinstance(rows, dict) else rows:
            served = (row.get("context") or {}).get("served")
            if isinstance(served, (int, float)) and 0 < served < 1e12:
                found[str(row["id"])] = float(served)
    return found
