"""What every model has done since the start, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.activity.exposition import Family, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.activity.record import ActivityRow

#: The label of requests that named no model of ours: clients cannot make series at will.
OTHER = "other"
STATES = ("stopped", "starting", "ready", "stopping")
_WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_SPEEDS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2500, 5000, 10000)

_HISTOGRAMS = {
    "ttft": (
        "llmstack_model_time_to_first_token_seconds",
        "From a request's arrival to the first bytes of its answer.",
        _WAITS,
    ),
    "queue": ("llmstack_model_queue_seconds", "Time that requests waited for their turn.", _WAITS),
    "load": (
        "llmstack_model_load_seconds",
        "Time from a process's start to its readiness.",
        _WAITS,
    ),
    "prompt": (
        "llmstack_model_prompt_tokens_per_second",
        "Prompt speed that the model reported, per request.",
        _SPEEDS,
    ),
    "generation": (
        "llmstack_model_generation_tokens_per_second",
        "Generation speed that the model reported, per request.",
        _SPEEDS,
    ),
}


class _Series:
    """What is counted of one model."""

    __slots__ = (
        "cached",
        "cost",
        "evictions",
        "histograms",
        "input",
        "output",
        "reasoning",
        "requests",
        "swaps",
        "written",
    )

    def __init__(self) -> None:
        self.requests: dict[int, int] = {}
        self.input = self.output = self.cached = self.written = self.reasoning = self.swaps = 0
        self.cost: float | None = None
        self.evictions: dict[str, int] = {}
        self.histograms = {kind: Histogram(bounds) for kind, (_, _, bounds) in _HISTOGRAMS.items()}


class ModelMetrics:
    """Counts per model. ``models`` are the ids that get a series of their own; for one thread."""

    def __init__(self, models: Iterable[str] = ()) -> None:
        self._models = frozenset(models)
        self._series: dict[str, _Series] = {}

    def set_models(self, models: Iterable[str]) -> None:
        """Take over a new configuration's ids; what was counted stays."""
        self._models = frozenset(models)

    def request(self, row: ActivityRow) -> None:
        """A request has ended."""
        # What a backend has answered is a model, whatever it is called.
        named = bool(row.backend) and row.resp_status_code == 200
        series = self._of(row.model, named=named)
        requests, status = series.requests, row.resp_status_code
        requests[status] = requests.get(status, 0) + 1
        histograms = series.histograms
        if row.ttft_ms is not None:
            histograms["ttft"].observe(row.ttft_ms / 1000)
        if row.queue_ms is not None:
            histograms["queue"].observe(row.queue_ms / 1000)
        if row.cost_usd is not None:
            series.cost = (series.cost or 0.0) + row.cost_usd
        usage = row.usage
        if not usage.found:
            return
        series.input += usage.input_tokens
        series.output += usage.output_tokens
        if usage.cache_tokens > 0:
            series.cached += usage.cache_tokens
        series.written += usage.cache_write_tokens
        series.reasoning += usage.reasoning_tokens
        if usage.prompt_per_second > 0:
            histograms["prompt"].observe(usage.prompt_per_second)
        if usage.tokens_per_second > 0:
            histograms["generation"].observe(usage.tokens_per_second)

    def loaded(self, model: str, seconds: float) -> None:
        """A process became ready ``seconds`` after its start."""
        self._of(model).histograms["load"].observe(seconds)

    def swapped(self, model: str) -> None:
        """A model was started and others had to go for it."""
        self._of(model).swaps += 1

    def evicted(self, model: str, reason: str) -> None:
        """A model was stopped; ``reason`` is a short word (``ttl``, ``unload``, ``swap``)."""
        evictions = self._of(model).evictions
        evictions[reason] = evictions.get(reason, 0) + 1

    def families(self, states: Mapping[str, str]) -> list[Family]:
        """Everything counted; ``states`` maps each model to one of ``STATES``."""
        series = sorted(self._series.items())
        requests = Family(
            "llmstack_model_requests_total", "counter", "Requests answered, by HTTP status."
        )
        families = [requests]
        for model, counted in series:
            for status, count in sorted(counted.requests.items()):
                requests.add(count, (("model", model), ("status", str(status))))
        for kind, text in (
            ("input", "Prompt tokens; with llama-server those that were not cached."),
            ("output", "Generated tokens."),
            ("cached", "Prompt tokens that were taken from the cache."),
            ("cache_written", "Prompt tokens that were written to a cache."),
            ("reasoning", "Generated tokens that were spent on reasoning."),
        ):
            family = Family(f"llmstack_model_{kind}_tokens_total", "counter", text)
            for model, counted in series:
                count = counted.written if kind == "cache_written" else getattr(counted, kind)
                family.add(count or None, (("model", model),))
            families.append(family)
        cost = Family("llmstack_model_cost_usd_total", "counter", "What answers have cost.")
        for model, counted in series:
            cost.add(counted.cost, (("model", model),))
        families.append(cost)
        for kind, (name, text, _) in _HISTOGRAMS.items():
            family = Family(name, "histogram", text)
            for model, counted in series:
                family.samples.extend(counted.histograms[kind].samples((("model", model),)))
            families.append(family)
        swaps = Family("llmstack_model_swaps_total", "counter", "Starts that displaced others.")
        evictions = Family("llmstack_model_evictions_total", "counter", "Stops, by reason.")
        for model, counted in series:
            swaps.add(counted.swaps or None, (("model", model),))
            for reason, count in sorted(counted.evictions.items()):
                evictions.add(count, (("model", model), ("reason", reason)))
        state = Family("llmstack_model_state", "gauge", "1 for the state that the model is in.")
        for model in sorted(states):
            for name in STATES:
                state.add(int(states[model] == name), (("model", model), ("state", name)))
        return [*families, swaps, evictions, state]

    def _of(self, model: str, *, named: bool = False) -> _Series:
        name = model if named or model in self._models or model in self._series else OTHER
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = _Series()
        return series
