"""The answer of ``GET /metrics``: llama-swap's gauges of host and GPUs, and ours of the models.

Names and labels of the former: llama-swap's behaviour report, section 5.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.activity.exposition import Family, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmstack.activity.model_metrics import ModelMetrics
    from llmstack.activity.performance import Host, Moment
    from llmstack.hub.gpu import Gpu

_GPU: tuple[tuple[str, str, Callable[[Gpu], float | None]], ...] = (
    ("temperature_celsius", "GPU temperature.", lambda gpu: gpu.temperature),
    ("vram_temperature_celsius", "GPU memory temperature.", lambda gpu: gpu.vram_temperature),
    ("util_percent", "GPU utilisation.", lambda gpu: gpu.utilization),
    ("memory_util_percent", "GPU memory in use.", lambda gpu: gpu.memory_percent),
    ("memory_used_bytes", "GPU memory in use.", lambda gpu: gpu.memory_used),
    ("memory_total_bytes", "GPU memory.", lambda gpu: gpu.memory_total),
    ("fan_speed_percent", "GPU fan speed.", lambda gpu: gpu.fan),
    ("power_draw_watts", "GPU power draw.", lambda gpu: gpu.power),
)


def metrics_text(
    moment: Moment | None,
    models: ModelMetrics | None = None,
    states: Mapping[str, str] = {},
    spending: Iterable[Mapping[str, Any]] = (),
    clients: Iterable[Family] = (),
) -> bytes:
    """The text for the latest sample, the models, tiers' costs and keys' use.

    Its content type is ``exposition.CONTENT_TYPE``.
    """
    families: list[Family] = []
    if moment:
        families += host_families(moment.host)
        families += gpu_families(moment.gpus)
    if models:
        families += models.families(states)
    families += spend_families(spending)
    families += clients
    return render(families)


def spend_families(spending: Iterable[Mapping[str, Any]]) -> list[Family]:
    """What tiers have cost in this day and month, and what they may cost."""
    spent = Family("llmstack_tier_spent_usd", "gauge", "Cost of the local day or month so far.")
    limit = Family("llmstack_tier_budget_usd", "gauge", "What the tier may cost in it.")
    for row in spending:
        for period, so_far, key in (
            ("day", "today_usd", "budget_usd_per_day"),
            ("month", "month_usd", "budget_usd_per_month"),
        ):
            labels = (("tier", row["tier"]), ("period", period))
            spent.add(row[so_far], labels)
            limit.add(row[key], labels)
    return [spent, limit]


def host_families(host: Host) -> list[Family]:
    """The machine's metrics."""
    cpu = Family("llamaswap_cpu_util_percent", "gauge", "CPU utilisation per core.")
    for core, percent in enumerate(host.cpu):
        cpu.add(percent, (("core", str(core)),))
    families = [cpu]
    for name, text, value in (
        ("memory_total_bytes", "Memory of the machine.", host.memory_total),
        ("memory_used_bytes", "Memory in use.", host.memory_used),
        ("memory_free_bytes", "Memory not in use.", host.memory_free),
        ("swap_total_bytes", "Swap space.", host.swap_total),
        ("swap_used_bytes", "Swap space in use.", host.swap_used),
    ):
        family = Family(f"llamaswap_{name}", "gauge", text)
        family.add(value)
        families.append(family)
    load = Family("llamaswap_load_average", "gauge", "Load average.")
    for interval, average in zip(("1m", "5m", "15m"), host.load, strict=True):
        load.add(average, (("interval", interval),))
    network = Family("llamaswap_network_bytes_total", "counter", "Network traffic.")
    for nic in host.traffic:
        network.add(nic.received, (("interface", nic.name), ("direction", "recv")))
        network.add(nic.sent, (("interface", nic.name), ("direction", "sent")))
    return [*families, load, network]


def gpu_families(gpus: Iterable[Gpu]) -> list[Family]:
    """The GPUs' metrics; what a tool does not report has no line."""
    gpus = tuple(gpus)
    families: list[Family] = []
    for name, text, value in _GPU:
        family = Family(f"llamaswap_gpu_{name}", "gauge", text)
        for gpu in gpus:
            uuid = (("uuid", gpu.uuid),) if gpu.uuid else ()
            family.add(value(gpu), (("id", str(gpu.id)), ("name", gpu.name), *uuid))
        families.append(family)
    return families
