"""What a stack is doing now: the shape of ``GET /api/overview`` and of live requests.

The other side may be another machine, so everything is checked and nothing but numbers and texts
gets through. Unknown fields are passed over: a newer stack may tell more.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from llmstack.errors import DaemonError

T = TypeVar("T")


class Model(msgspec.Struct, frozen=True):
    """One model. ``memory`` is in bytes, ``ttl_left`` in seconds; None where there is none.

    ``state`` is empty for a model that is served elsewhere and of which nothing is known.
    """

    id: str
    provider: str = "local"
    state: str = ""
    in_flight: float = 0
    waiting: float = 0
    ttl_left: float | None = None
    memory: float | None = None
    tokens_per_second: float | None = None


class Share(msgspec.Struct, frozen=True):
    """The bytes that a model takes of a device."""

    id: str
    bytes: float = 0
    estimated: bool = False


class Device(msgspec.Struct, frozen=True):
    """The machine's memory or a GPU's, in bytes."""

    id: str
    total: float = 0
    used: float = 0
    name: str = ""
    models: tuple[Share, ...] = ()


class Queue(msgspec.Struct, frozen=True):
    """How many requests wait and run, and which models are on their way."""

    waiting: float = 0
    in_flight: float = 0
    loading: tuple[str, ...] = ()


class Today(msgspec.Struct, frozen=True):
    """Sums since local midnight; ``_s`` are seconds. ``cost_usd`` is None without prices."""

    requests: float = 0
    errors: float = 0
    input_tokens: float = 0
    output_tokens: float = 0
    cached_tokens: float = 0
    swaps: float = 0
    swap_s: float = 0
    reprefill_s: float = 0
    reprefill_tokens: float = 0
    cost_usd: float | None = None


class Budget(msgspec.Struct, frozen=True):
    """What a tier has spent of what it may, in a ``day`` or a ``month``."""

    tier: str
    period: str = "day"
    spent_usd: float = 0
    budget_usd: float = 0


class Overview(msgspec.Struct, frozen=True):
    """All of it. ``kind`` is ``stack`` or ``swap``."""

    version: str = ""
    kind: str = "stack"
    channel: str | None = None
    uptime_s: float = 0
    tokens_per_second: float | None = None
    models: tuple[Model, ...] = ()
    devices: tuple[Device, ...] = ()
    queue: Queue = Queue()
    today: Today = Today()
    budgets: tuple[Budget, ...] = ()


class Live(msgspec.Struct, frozen=True):
    """A request that is being served. ``elapsed_ms`` was its age when this was told."""

    id: str
    model: str = ""
    req_path: str = ""
    elapsed_ms: float = 0
    phase: str | None = None
    tier: str | None = None
    session: str | None = None
    client: str | None = None
    reason: str | None = None


def read_overview(data: Any) -> Overview:
    """The overview that decoded JSON is.

    Raises:
        DaemonError: it is none.
    """
    return _convert(data, Overview)


def read_live(data: Any) -> Live:
    """The request that an entry of an ``inflight`` event is. Raises as ``read_overview``."""
    return _convert(data, Live)


def _convert(data: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DaemonError(
            "what it tells of itself is no overview",
            why=str(error),
            fix="Is it a llmstack of another release, or another server?",
        ) from error
