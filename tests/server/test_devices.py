"""Memory of the machine and of its GPUs, with each model's share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.activity import Sampler
from llmstack.activity.performance import Host
from llmstack.engine import Engine, ModelStatus, State
from llmstack.hub.gpu import Gpu
from llmstack.hub.gpu_processes import parse_shares
from llmstack.residency import MemoryFacts
from llmstack.residency.footprint import Known
from llmstack.server.devices import Devices
from tests.server.test_activity import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.server.overview import Device

pytestmark = pytest.mark.anyio

BIG = Gpu(0, "Big", "NVIDIA", "GPU-a", memory_used=700, memory_total=1000)
SMALL = Gpu(1, "Small", "NVIDIA", "GPU-b", memory_used=0, memory_total=500)


async def sampled(*gpus: Gpu) -> Sampler:
    """A sampler that has looked once."""

    async def once(_: float) -> None:
        raise InterruptedError

    sampler = Sampler(1.0, host=Host, gpus=lambda: list(gpus), sleep=once)
    with pytest.raises(InterruptedError):
        await sampler.run()
    return sampler


class Two(Engine):
    """Two loaded models; both processes are this one's, whose group is a leader's."""

    pids: tuple[int, ...] = ()

    def status(self) -> list[ModelStatus]:
        names = ("one", "two")
        return [
            ModelStatus(name, State.READY, 0, 0.0, pid, memory=pid * 10)
            for name, pid in zip(names, self.pids, strict=False)
        ]


async def look(
    engine: Engine, sampler: Sampler | None, shares: dict[str, dict[int, int]]
) -> Sequence[Device]:
    devices = Devices(engine, measure=lambda pids: dict.fromkeys(pids, 1), shares=lambda: shares)
    devices.now((), sampler)  # the first look finds out that there are GPUs
    await devices.refresh(0.0)
    return devices.now(engine.status(), sampler)


async def test_the_machine_is_told_without_any_sampler_and_any_gpu() -> None:
    engine = Two(NOTHING)
    engine.pids = (5,)
    (host,) = await look(engine, None, {})
    assert (host.id, host.total > host.used > 0) == ("host", True)
    assert [(held.model, held.size, held.estimated) for held in host.models] == [("one", 50, False)]


async def test_each_gpu_tells_what_each_model_holds_of_it() -> None:
    import os

    group = os.getpgid(0)
    engine = Two(NOTHING)
    engine.pids = (group,)
    shares = {"GPU-a": {os.getpid(): 300}, "GPU-b": {os.getpid(): 40}}
    _, big, small = await look(engine, await sampled(BIG, SMALL), shares)
    assert (big.id, big.total, big.used) == ("gpu0", 1000, 700)
    assert [(h.model, h.size) for h in big.models] == [("one", 300)]
    assert [(h.model, h.size) for h in small.models] == [("one", 40)]


async def test_where_the_tool_says_nothing_the_only_gpu_gets_estimates_that_say_so() -> None:
    engine = Two(NOTHING)
    engine.pids = (5, 6)
    known = {"one": Known(400, "measured"), "two": Known(None, "unknown")}
    engine.memory = MemoryFacts(1000, "gpu", "of the GPU", known)
    _, big = await look(engine, await sampled(BIG), {})
    assert [(h.model, h.size, h.estimated) for h in big.models] == [("one", 400, True)]
    _, big, small = await look(engine, await sampled(BIG, SMALL), {})
    assert (big.models, small.models) == ((), ()), "nobody knows on which of two it is"


async def test_a_gpu_without_memory_of_its_own_is_no_device() -> None:
    engine = Two(NOTHING)
    shared = Gpu(0, "Shared", "AMD")
    assert [device.id for device in await look(engine, await sampled(shared), {})] == ["host"]


def test_shares_are_read_by_gpu_and_process() -> None:
    text = "GPU-a, 17, 100\nGPU-b, 17, 5\nGPU-a, 17, 1\nGPU-a, 18, [N/A]\nNo running processes\n"
    mib = 1 << 20
    assert parse_shares(text) == {"GPU-a": {17: 101 * mib}, "GPU-b": {17: 5 * mib}}
