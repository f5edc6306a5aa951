"""The machine's memory and that of its GPUs, with what each model takes of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import psutil

from llmstack.engine.memory import on_gpus, resident
from llmstack.hub.gpu_processes import gpu_shares
from llmstack.server.overview import Device, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from llmstack.activity import Sampler
    from llmstack.engine import Engine, ModelStatus
    from llmstack.hub.gpu import Gpu

#: What the machine's own memory is called.
HOST: Final = "host"


class Devices:
    """Measures when asked to. For one event loop.

    ``shares`` is what each process holds, by the GPU's uuid.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        measure: Callable[[Sequence[int]], dict[int, int]] = resident,
        shares: Callable[[], Mapping[str, Mapping[int, int]]] = gpu_shares,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._measure = measure
        self._shares = shares
        self._now = now
        #: Bytes of the machine's memory by process leader, as last measured.
        self.host: Mapping[int, int] = {}
        self._on_gpus: Mapping[str, Mapping[int, int]] = {}
        self._any_gpu = False
        self._measured_at = float("-inf")
        self._measured: frozenset[int] = frozenset()
        self._refreshing = asyncio.Lock()

    async def refresh(self, believed: float) -> None:
        """Measure what models take, in a thread, unless that is younger than ``believed`` seconds.

        Processes that have come or gone are looked at at once.
        """
        async with self._refreshing:
            pids = frozenset(row.pid for row in self._engine.status() if row.pid is not None)
            if pids == self._measured and self._now() - self._measured_at < believed:
                return
            self.host, self._on_gpus = await asyncio.to_thread(self._look, sorted(pids))
            self._measured, self._measured_at = pids, self._now()

    def now(self, status: Sequence[ModelStatus], sampler: Sampler | None) -> tuple[Device, ...]:
        """Every device. ``sampler`` knows the GPUs; without one only the machine is told."""
        memory = psutil.virtual_memory()
        latest = sampler.latest if sampler else None
        gpus = [gpu for gpu in latest.gpus if gpu.memory_total] if latest else []
        self._any_gpu = bool(gpus)
        held = tuple(Held(row.id, row.memory) for row in status if row.memory)
        host = Device(HOST, "Memory", memory.total, memory.total - memory.available, held)
        return (host, *(self._gpu(gpu, status, alone=len(gpus) == 1) for gpu in gpus))

    def _gpu(self, gpu: Gpu, status: Sequence[ModelStatus], *, alone: bool) -> Device:
        taken = self._on_gpus.get(gpu.uuid, {})
        held = [Held(row.id, taken[row.pid]) for row in status if row.pid and taken.get(row.pid)]
        if not self._on_gpus and alone:
            held = list(self._estimates(status))
        total, used = gpu.memory_total or 0, gpu.memory_used or 0
        return Device(f"gpu{gpu.id}", gpu.name, total, used, tuple(held))

    def _estimates(self, status: Sequence[ModelStatus]) -> Iterator[Held]:
        """What is reckoned with where the tool tells nothing of our processes (in containers)."""
        facts = self._engine.memory
        if facts is None or facts.pool != "gpu":
            return
        for row in status:
            known = facts.known.get(row.id)
            if row.pid and known and known.size:
                yield Held(row.id, known.size, estimated=True)

    def _look(
        self, pids: Sequence[int]
    ) -> tuple[Mapping[int, int], Mapping[str, Mapping[int, int]]]:
        if not pids:
            return {}, {}
        shares = self._shares() if self._any_gpu else {}
        found = {uuid: on_gpus(pids, by_pid) for uuid, by_pid in shares.items()}
        return self._measure(pids), {uuid: taken for uuid, taken in found.items() if taken}
