"""What a request did when, in phases (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.activity.record import ActivityRow

#: Waiting for its turn, for its model's process, for the first bytes of the answer, for the last.
Phase = Literal["queued", "loading", "prefill", "generating"]


def phases(
    end: float, queued: float | None, loading: float | None, first: float | None
) -> Iterator[tuple[Phase, float, float]]:
    """Each phase with its beginning and its length, all in one unit from the request's arrival.

    ``end`` is the request's own, or now. ``queued`` is how long it waited for its turn, None while
    it still does; ``loading`` how long its model was then loaded for it. ``first`` is when the
    answer's first bytes came, None if none have.
    """
    at = 0.0
    known = queued is not None or first is not None
    steps: list[tuple[Phase, float | None]] = [
        ("queued", queued if known else end),
        ("loading", (queued or 0) + (loading or 0) if known else end),
        ("prefill", end if first is None else first),
        ("generating", end),
    ]
    for phase, until in steps:
        stop = min(max(until or 0.0, at), end)
        if stop > at:
            yield phase, at, stop - at
        at = stop


def told(found: Iterator[tuple[Phase, float, float]]) -> list[dict[str, Any]]:
    """Phases in milliseconds as clients get them, in whole ones."""
    return [
        {"phase": phase, "start_ms": round(start), "ms": round(length)}
        for phase, start, length in found
    ]


def timeline(row: ActivityRow) -> list[dict[str, Any]]:
    """The phases of a request that has ended. One that never came to a model was queued.

    ``prefill`` is all that passed between the model's readiness and the first bytes: for a model
    that others host, also their queue and the way there and back.
    """
    return told(phases(row.duration_ms, _queued(row), row.load_ms, row.ttft_ms))


def _queued(row: ActivityRow) -> float | None:
    if row.queue_ms is None and row.backend not in ("", "local"):
        return 0.0  # nobody queues here for what others host
    return row.queue_ms
