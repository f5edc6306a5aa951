"""Everything at a glance: what is loaded, what it takes, what flows, what today has cost (pure).

``GET /api/overview`` and the event ``overview`` tell what ``overview`` makes of a ``Reading``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.activity.day import Day
    from llmstack.engine import ModelStatus


@dataclass(frozen=True, slots=True)
class Standing:
    """What kind of daemon this is: ``channel`` is a stack's, ``auto`` says that it routes."""

    kind: Literal["stack", "swap"] = "swap"
    channel: str | None = None
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A model that others host; ``state`` is its backend's health, empty if nobody knows it."""

    id: str
    name: str
    provider: str
    state: str
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """What a model takes of a device, in bytes."""

    model: str
    size: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """Memory in bytes: the machine's (``host``) or a GPU's (``gpu0``)."""

    id: str
    name: str
    total: int
    used: int
    models: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment. ``clock`` is the engine's time then, ``rates`` tokens per second by model.

    ``names`` are what people call the local models. ``spending`` is ``Budgets.rows``.
    """

    time: float
    version: str
    uptime: float
    standing: Standing
    clock: float
    local: tuple[ModelStatus, ...]
    names: Mapping[str, str]
    elsewhere: tuple[Elsewhere, ...]
    devices: tuple[Device, ...]
    rates: Mapping[str, float]
    day: Day
    spending: tuple[Mapping[str, Any], ...] = ()


def overview(reading: Reading) -> dict[str, Any]:
    """The object that clients get. Times are epoch seconds, memory is in bytes."""
    local = reading.local
    return {
        "time": round(reading.time, 3),
        "version": reading.version,
        "uptime_s": round(reading.uptime, 1),
        "kind": reading.standing.kind,
        "channel": reading.standing.channel,
        "auto": reading.standing.auto,
        "models": [*_local(reading), *_elsewhere(reading)],
        "devices": [_device(device) for device in reading.devices],
        "queue": {
            "waiting": sum(status.queue for status in local),
            "in_flight": sum(status.in_flight for status in local)
            + sum(model.in_flight for model in reading.elsewhere),
            "loading": [status.id for status in local if status.state == "starting"],
        },
        "tokens_per_second": round(sum(reading.rates.values(), 0.0), 1),
        "today": _today(reading),
        "budgets": list(_budgets(reading.spending)),
    }


def _local(reading: Reading) -> Iterator[dict[str, Any]]:
    for status in reading.local:
        yield {
            "id": status.id,
            "name": reading.names.get(status.id, ""),
            "provider": "local",
            "state": str(status.state),
            "since": round(reading.time - (reading.clock - status.since), 3),
            "in_flight": status.in_flight,
            "waiting": status.queue,
            "ttl_left": None if status.ttl_left is None else round(status.ttl_left, 1),
            "memory": status.memory,
            **_speed(reading, status.id),
        }


def _elsewhere(reading: Reading) -> Iterator[dict[str, Any]]:
    for model in reading.elsewhere:
        yield {
            "id": model.id,
            "name": model.name,
            "provider": model.provider,
            "state": model.state,
            "since": None,
            "in_flight": model.in_flight,
            "waiting": 0,
            "ttl_left": None,
            "memory": None,
            **_speed(reading, model.id),
        }


def _speed(reading: Reading, model: str) -> dict[str, float]:
    now, peak = reading.rates.get(model, 0.0), reading.day.peaks.get(model, 0.0)
    told = {"tokens_per_second": round(now, 1)}
    return told | {"peak_tokens_per_second": round(peak, 1)} if peak else told


def _device(device: Device) -> dict[str, Any]:
    held = sorted(device.models, key=lambda held: -held.size)
    return {
        "id": device.id,
        "name": device.name,
        "total": device.total,
        "used": device.used,
        "models": [{"id": h.model, "bytes": h.size, "estimated": h.estimated} for h in held],
    }


def _today(reading: Reading) -> dict[str, Any]:
    day, spending = reading.day, reading.spending
    cost = sum(float(row["today_usd"]) for row in spending) if spending else None
    return {
        "since": day.since,
        "requests": day.requests,
        "errors": day.errors,
        "input_tokens": day.input_tokens,
        "output_tokens": day.output_tokens,
        "cached_tokens": day.cached_tokens,
        "swaps": day.swaps,
        "swap_s": round(day.swap_s, 1),
        "reprefill_s": round(day.reread_s, 1),
        "reprefill_tokens": day.reread_tokens,
        "cost_usd": cost,
    }


def _budgets(spending: tuple[Mapping[str, Any], ...]) -> Iterator[dict[str, Any]]:
    for row in spending:
        for period, spent in (("day", "today_usd"), ("month", "month_usd")):
            if row[f"budget_usd_per_{period}"] is not None:
                yield {
                    "tier": row["tier"],
                    "period": period,
                    "spent_usd": row[spent],
                    "budget_usd": row[f"budget_usd_per_{period}"],
                }
