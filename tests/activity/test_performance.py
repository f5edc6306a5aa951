"""Samples are taken on time, kept for an hour and shown in llama-swap's shape."""

from __future__ import annotations

import asyncio

import pytest

from llmstack.activity import Sampler
from llmstack.activity.performance import HISTORY, Host, Traffic, read_host
from llmstack.hub.gpu import Gpu

MIB = 1024 * 1024
HOST = Host(
    cpu=(1.5, 20.0),
    memory_total=8 * MIB,
    memory_used=5 * MIB + 1,
    memory_free=3 * MIB - 1,
    swap_total=2 * MIB,
    swap_used=MIB,
    load=(1.0, 0.5, 0.25),
    traffic=(Traffic("lo", 10, 20),),
)
GPU = Gpu(3, "G", "NVIDIA", "GPU-3", temperature=40.6, memory_used=MIB, memory_total=4 * MIB)


class Enough(Exception):
    """Ends the sampling."""


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, naps: int) -> None:
        self.time = 1000.0
        self.naps = naps
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        if len(self.slept) == self.naps:
            raise Enough


def sampled(naps: int, every: float = 5, gpus: list[Gpu] | None = None) -> Sampler:
    clock = Clock(naps)
    sampler = Sampler(
        every, host=lambda: HOST, gpus=lambda: gpus or [], now=clock.now, sleep=clock.sleep
    )
    with pytest.raises(Enough):
        asyncio.run(sampler.run())
    assert clock.slept == [every] * naps
    return sampler


def test_a_sample_has_exactly_the_documented_shape() -> None:
    assert sampled(1, gpus=[GPU]).to_json() == {
        "enabled": True,
        "sys_stats": [
            {
                "timestamp": "1970-01-01T00:16:40Z",
                "cpu_util_per_core": [1.5, 20.0],
                "mem_total_mb": 8,
                "mem_used_mb": 5,
                "mem_free_mb": 2,
                "swap_total_mb": 2,
                "swap_used_mb": 1,
                "load_avg_1": 1.0,
                "load_avg_5": 0.5,
                "load_avg_15": 0.25,
                "net_io": [{"name": "lo", "bytes_recv": 10, "bytes_sent": 20}],
            }
        ],
        "gpu_stats": [
            {
                "timestamp": "1970-01-01T00:16:40Z",
                "id": 3,
                "name": "G",
                "uuid": "GPU-3",
                "temp_c": 41,
                "vram_temp_c": 0,
                "gpu_util_pct": 0,
                "mem_util_pct": 25.0,
                "mem_used_mb": 1,
                "mem_total_mb": 4,
                "fan_speed_pct": 0,
                "power_draw_w": 0,
            }
        ],
    }


def test_after_is_strict() -> None:
    sampler = sampled(3)
    assert [row["timestamp"] for row in sampler.to_json(1000)["sys_stats"]] == [
        "1970-01-01T00:16:45Z",
        "1970-01-01T00:16:50Z",
    ]
    assert len(sampler.to_json(999.9)["sys_stats"]) == 3
    assert sampler.to_json(1010)["sys_stats"] == []


def test_one_hour_is_kept() -> None:
    sampler = sampled(800, every=5)
    assert len(sampler.to_json()["sys_stats"]) == HISTORY / 5
    assert sampler.latest
    assert sampler.latest.timestamp == 1000 + 799 * 5


def test_before_the_first_sample_there_is_none() -> None:
    sampler = Sampler(5)
    assert sampler.latest is None
    assert sampler.to_json() == {"enabled": True, "sys_stats": [], "gpu_stats": []}


def test_a_sample_that_fails_does_not_end_the_sampling(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(2)
    outcomes = [OSError("a driver's mistake")]

    def host() -> Host:
        if outcomes:
            raise outcomes.pop()
        return HOST

    sampler = Sampler(5, host=host, gpus=list, now=clock.now, sleep=clock.sleep)
    with pytest.raises(Enough):
        asyncio.run(sampler.run())
    assert len(sampler.to_json()["sys_stats"]) == 1
    assert "no performance sample" in caplog.text


def test_this_machine_can_be_read() -> None:
    host = read_host()
    assert host.cpu
    assert host.memory_total > host.memory_used > 0
    assert len(host.load) == 3
