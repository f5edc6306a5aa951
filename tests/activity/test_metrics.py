"""``/metrics`` has the names that llama-swap's dashboards ask for."""

from __future__ import annotations

import re

import pytest

from llmstack.activity import CONTENT_TYPE, ActivityRow, ModelMetrics, metrics_text
from llmstack.activity.performance import Moment
from llmstack.hub.gpu import Gpu
from tests.activity.test_performance import HOST, MIB

LINE = re.compile(
    r'[a-z_]+(\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\})? [0-9.e+-]+'
)


@pytest.mark.top40(31, "names of the metrics")
def test_host_and_gpus_have_exactly_the_documented_names() -> None:
    gpus = (
        Gpu(0, 'a "b"', "NVIDIA", "GPU-0", 75, 85, 85.5, 3 * MIB, 4 * MIB, 55, 300.5),
        Gpu(3, "c", "AMD", temperature=40),
    )
    text = metrics_text(Moment(0, HOST, gpus)).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    first = '{id="0",name="a \\"b\\"",uuid="GPU-0"}'
    assert lines == [
        'llamaswap_cpu_util_percent{core="0"} 1.5',
        'llamaswap_cpu_util_percent{core="1"} 20',
        "llamaswap_memory_total_bytes 8388608",
        "llamaswap_memory_used_bytes 5242881",
        "llamaswap_memory_free_bytes 3145727",
        "llamaswap_swap_total_bytes 2097152",
        "llamaswap_swap_used_bytes 1048576",
        'llamaswap_load_average{interval="1m"} 1',
        'llamaswap_load_average{interval="5m"} 0.5',
        'llamaswap_load_average{interval="15m"} 0.25',
        'llamaswap_network_bytes_total{interface="lo",direction="recv"} 10',
        'llamaswap_network_bytes_total{interface="lo",direction="sent"} 20',
        f"llamaswap_gpu_temperature_celsius{first} 75",
        'llamaswap_gpu_temperature_celsius{id="3",name="c"} 40',
        f"llamaswap_gpu_vram_temperature_celsius{first} 85",
        f"llamaswap_gpu_util_percent{first} 85.5",
        f"llamaswap_gpu_memory_util_percent{first} 75",
        f"llamaswap_gpu_memory_used_bytes{first} 3145728",
        f"llamaswap_gpu_memory_total_bytes{first} 4194304",
        f"llamaswap_gpu_fan_speed_percent{first} 55",
        f"llamaswap_gpu_power_draw_watts{first} 300.5",
    ]
    assert "# TYPE llamaswap_cpu_util_percent gauge" in text
    assert "# TYPE llamaswap_network_bytes_total counter" in text


def test_models_are_in_the_same_text() -> None:
    models = ModelMetrics(["m"])
    models.request(ActivityRow("m", "/x", 200, 0, ttft_ms=5))
    text = metrics_text(Moment(0, HOST), models, {"m": "ready"}).decode()
    for line in text.splitlines():
        assert line.startswith("# ") or LINE.fullmatch(line), line
    assert text.endswith("\n")
    names = re.findall(r"# TYPE (\S+)", text)
    assert len(names) == len(set(names))


def test_what_tiers_have_cost_is_shown_beside_what_they_may() -> None:
    rows = [
        {
            "tier": "t",
            "today_usd": 1.5,
            "month_usd": 20.25,
            "budget_usd_per_day": None,
            "budget_usd_per_month": 50,
            "over": None,
        }
    ]
    text = metrics_text(None, spending=rows).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'llmstack_tier_spent_usd{tier="t",period="day"} 1.5',
        'llmstack_tier_spent_usd{tier="t",period="month"} 20.25',
        'llmstack_tier_budget_usd{tier="t",period="month"} 50',
    ]


def test_before_the_first_sample_there_is_nothing() -> None:
    assert metrics_text(None) == b""
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
