"""The host's and the GPUs' last hour, for ``/api/performance`` and Prometheus."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.activity.record import rfc3339
from llmstack.hub.gpu import GpuProbe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmstack.hub.gpu import Gpu

log = logging.getLogger(__name__)

#: Seconds of history.
HISTORY = 3600
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Traffic:
    """One network interface's bytes since the machine started."""

    name: str
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Host:
    """The machine at one moment: percent per core, bytes, load averages."""

    cpu: tuple[float, ...] = ()
    memory_total: int = 0
    memory_used: int = 0
    memory_free: int = 0
    swap_total: int = 0
    swap_used: int = 0
    load: tuple[float, float, float] = (0.0, 0.0, 0.0)
    traffic: tuple[Traffic, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One sample; ``timestamp`` is seconds since the epoch."""

    timestamp: float
    host: Host
    gpus: tuple[Gpu, ...] = field(default=())


def read_host() -> Host:
    """The machine now. CPU use is that since the previous call in this process."""
    import psutil

    memory = psutil.virtual_memory()
    swap = psutil.swap_memory()
    counters = psutil.net_io_counters(pernic=True)
    return Host(
        cpu=tuple(psutil.cpu_percent(percpu=True)),
        memory_total=memory.total,
        memory_used=memory.used,
        memory_free=memory.free,
        swap_total=swap.total,
        swap_used=swap.used,
        load=psutil.getloadavg(),
        traffic=tuple(
            Traffic(name, count.bytes_recv, count.bytes_sent)
            for name, count in sorted(counters.items())
        ),
    )


class Sampler:
    """Takes a sample every ``every`` seconds while ``run`` runs, and keeps an hour of them.

    Looking is done in a thread: GPU tools take their time.
    """

    def __init__(
        self,
        every: float,
        *,
        host: Callable[[], Host] = read_host,
        gpus: Callable[[], list[Gpu]] | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._every = every
        self._host = host
        self._gpus = gpus or GpuProbe()
        self._now = now
        self._sleep = sleep
        self._moments: deque[Moment] = deque(maxlen=max(int(HISTORY / every), 1))

    @property
    def latest(self) -> Moment | None:
        """The newest sample."""
        return self._moments[-1] if self._moments else None

    async def run(self) -> None:
        """Sample until cancelled. What goes wrong in one sample is logged, not raised."""
        while True:
            try:
                self._moments.append(await asyncio.to_thread(self._look))
            except Exception:  # a driver's mistake must not end the sampling
                log.exception("no performance sample this time")
            await self._sleep(self._every)

    def to_json(self, after: float | None = None) -> dict[str, Any]:
        """The answer of ``GET /api/performance``: samples later than ``after``, oldest first."""
        moments = [m for m in self._moments if after is None or m.timestamp > after]
        return {
            "enabled": True,
            "sys_stats": [_host_json(moment) for moment in moments],
            "gpu_stats": [_gpu_json(moment, gpu) for moment in moments for gpu in moment.gpus],
        }

    def _look(self) -> Moment:
        host, gpus = self._host(), tuple(self._gpus())
        return Moment(self._now(), host, gpus)


def _host_json(moment: Moment) -> dict[str, Any]:
    host = moment.host
    return {
        "timestamp": rfc3339(moment.timestamp),
        "cpu_util_per_core": list(host.cpu),
        "mem_total_mb": host.memory_total // _MIB,
        "mem_used_mb": host.memory_used // _MIB,
        "mem_free_mb": host.memory_free // _MIB,
        "swap_total_mb": host.swap_total // _MIB,
        "swap_used_mb": host.swap_used // _MIB,
        "load_avg_1": host.load[0],
        "load_avg_5": host.load[1],
        "load_avg_15": host.load[2],
        "net_io": [
            {"name": nic.name, "bytes_recv": nic.received, "bytes_sent": nic.sent}
            for nic in host.traffic
        ],
    }


def _gpu_json(moment: Moment, gpu: Gpu) -> dict[str, Any]:
    """A GPU in llama-swap's shape, whose numbers have no way to say unknown but 0."""
    return {
        "timestamp": rfc3339(moment.timestamp),
        "id": gpu.id,
        "name": gpu.name,
        "uuid": gpu.uuid,
        "temp_c": round(gpu.temperature or 0),
        "vram_temp_c": round(gpu.vram_temperature or 0),
        "gpu_util_pct": gpu.utilization or 0,
        "mem_util_pct": gpu.memory_percent or 0,
        "mem_used_mb": (gpu.memory_used or 0) // _MIB,
        "mem_total_mb": (gpu.memory_total or 0) // _MIB,
        "fan_speed_pct": gpu.fan or 0,
        "power_draw_w": gpu.power or 0,
    }
