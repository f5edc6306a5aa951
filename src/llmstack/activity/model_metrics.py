"""What every model has done since the start, for Prometheus."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from llmstack.activity.exposition import Family, Histogram

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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


class ModelMetrics:
    """Counts per model. ``models`` are the ids that get a series of their own; for one thread."""

    def __init__(self, models: Collection[str] = ()) -> None:
        self._models = frozenset(models)
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._tokens: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._swaps: defaultdict[str, int] = defaultdict(int)
        self._evictions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._histograms: dict[tuple[str, str], Histogram] = {}

    def set_models(self, models: Collection[str]) -> None:
        """Take over a new configuration's ids; what was counted stays."""
        self._models = frozenset(models)

    def request(self, row: ActivityRow) -> None:
        """A request has ended."""
        model = self._label(row.model)
        usage = row.usage
        self._requests[model, row.resp_status_code] += 1
        for kind, count in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached", usage.cache_tokens),
        ):
            if count > 0:
                self._tokens[kind, model] += count
        if row.ttft_ms is not None:
            self._observe("ttft", model, row.ttft_ms / 1000)
        if row.queue_ms is not None:
            self._observe("queue", model, row.queue_ms / 1000)
        if usage.prompt_per_second > 0:
            self._observe("prompt", model, usage.prompt_per_second)
        if usage.tokens_per_second > 0:
            self._observe("generation", model, usage.tokens_per_second)

    def loaded(self, model: str, seconds: float) -> None:
        """A process became ready ``seconds`` after its start."""
        self._observe("load", self._label(model), seconds)

    def swapped(self, model: str) -> None:
        """A model was started and others had to go for it."""
        self._swaps[self._label(model)] += 1

    def evicted(self, model: str, reason: str) -> None:
        """A model was stopped; ``reason`` is a short word (``ttl``, ``unload``, ``swap``)."""
        self._evictions[self._label(model), reason] += 1

    def families(self, states: Mapping[str, str]) -> list[Family]:
        """Everything counted; ``states`` maps each model to one of ``STATES``."""
        requests = Family(
            "llmstack_model_requests_total", "counter", "Requests answered, by HTTP status."
        )
        for (model, status), count in sorted(self._requests.items()):
            requests.add(count, (("model", model), ("status", str(status))))
        families = [requests]
        for kind, text in (
            ("input", "Prompt tokens; with llama-server those that were not cached."),
            ("output", "Generated tokens."),
            ("cached", "Prompt tokens that were taken from the cache."),
        ):
            family = Family(f"llmstack_model_{kind}_tokens_total", "counter", text)
            for (of_kind, model), count in sorted(self._tokens.items()):
                if of_kind == kind:
                    family.add(count, (("model", model),))
            families.append(family)
        for kind, (name, text, _) in _HISTOGRAMS.items():
            family = Family(name, "histogram", text)
            for (of_kind, model), histogram in sorted(
                self._histograms.items(), key=lambda item: item[0]
            ):
                if of_kind == kind:
                    family.samples.extend(histogram.samples((("model", model),)))
            families.append(family)
        swaps = Family("llmstack_model_swaps_total", "counter", "Starts that displaced others.")
        for model, count in sorted(self._swaps.items()):
            swaps.add(count, (("model", model),))
        evictions = Family("llmstack_model_evictions_total", "counter", "Stops, by reason.")
        for (model, reason), count in sorted(self._evictions.items()):
            evictions.add(count, (("model", model), ("reason", reason)))
        state = Family("llmstack_model_state", "gauge", "1 for the state that the model is in.")
        for model in sorted(states):
            for name in STATES:
                state.add(int(states[model] == name), (("model", model), ("state", name)))
        return [*families, swaps, evictions, state]

    def _label(self, model: str) -> str:
        return model if model in self._models else OTHER

    def _observe(self, kind: str, model: str, value: float) -> None:
        histogram = self._histograms.get((kind, model))
        if histogram is None:
            histogram = self._histograms[kind, model] = Histogram(_HISTOGRAMS[kind][2])
        histogram.observe(value)
