"""Every model's work is counted, under its own name only if it is a model of ours."""

from __future__ import annotations

from llmstack.activity import ActivityRow, ModelMetrics, Usage
from llmstack.activity.exposition import render


def shown(metrics: ModelMetrics, states: dict[str, str] | None = None) -> list[str]:
    text = render(metrics.families(states or {})).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_request_counts_its_status_tokens_times_and_speeds() -> None:
    metrics = ModelMetrics(["m"])
    usage = Usage(10, 20, 5, prompt_per_second=100, tokens_per_second=-1, found=True)
    metrics.request(ActivityRow("m", "/x", 200, 0, usage=usage, ttft_ms=300, queue_ms=20))
    metrics.request(ActivityRow("m", "/x", 200, 0, usage=Usage(1, 0, -1, found=True)))
    metrics.request(ActivityRow("m", "/x", 499, 0))
    lines = shown(metrics)
    for line in (
        'llmstack_model_requests_total{model="m",status="200"} 2',
        'llmstack_model_requests_total{model="m",status="499"} 1',
        'llmstack_model_input_tokens_total{model="m"} 11',
        'llmstack_model_output_tokens_total{model="m"} 20',
        'llmstack_model_cached_tokens_total{model="m"} 5',
        'llmstack_model_time_to_first_token_seconds_bucket{model="m",le="0.25"} 0',
        'llmstack_model_time_to_first_token_seconds_bucket{model="m",le="0.5"} 1',
        'llmstack_model_time_to_first_token_seconds_sum{model="m"} 0.3',
        'llmstack_model_queue_seconds_count{model="m"} 1',
        'llmstack_model_prompt_tokens_per_second_sum{model="m"} 100',
    ):
        assert line in lines
    assert not any("generation" in line for line in lines)


def test_costs_and_the_tokens_that_are_priced_apart_are_counted() -> None:
    metrics = ModelMetrics(["m"])
    usage = Usage(10, 20, 5, reasoning_tokens=7, cache_write_tokens=3, found=True)
    for _ in range(2):
        metrics.request(ActivityRow("m", "/x", 200, 0, usage=usage, cost_usd=0.25))
    metrics.request(ActivityRow("m", "/x", 200, 0, cost_usd=None))
    lines = shown(metrics)
    for line in (
        'llmstack_model_cost_usd_total{model="m"} 0.5',
        'llmstack_model_reasoning_tokens_total{model="m"} 14',
        'llmstack_model_cache_written_tokens_total{model="m"} 6',
    ):
        assert line in lines


def test_a_model_that_a_backend_has_answered_for_has_its_own_series() -> None:
    metrics = ModelMetrics()
    metrics.request(ActivityRow("ollama/none", "/x", 404, 0, backend="ollama"))
    metrics.request(ActivityRow("ollama/a", "/x", 200, 0, backend="ollama"))
    metrics.request(ActivityRow("ollama/a", "/x", 502, 0))
    assert shown(metrics) == [
        'llmstack_model_requests_total{model="ollama/a",status="200"} 1',
        'llmstack_model_requests_total{model="ollama/a",status="502"} 1',
        'llmstack_model_requests_total{model="other",status="404"} 1',
    ]


def test_names_of_clients_make_no_series() -> None:
    metrics = ModelMetrics(["m"])
    for number in range(100):
        metrics.request(ActivityRow(f"guess {number}", "/x", 404, 0))
    assert shown(metrics) == ['llmstack_model_requests_total{model="other",status="404"} 100']
    metrics.set_models(["guess 1"])
    metrics.request(ActivityRow("guess 1", "/x", 200, 0))
    assert 'llmstack_model_requests_total{model="guess 1",status="200"} 1' in shown(metrics)


def test_loads_swaps_evictions_and_states() -> None:
    metrics = ModelMetrics(["a", "b"])
    metrics.loaded("a", 4)
    metrics.swapped("a")
    metrics.evicted("b", "swap")
    metrics.evicted("b", "ttl")
    metrics.evicted("b", "ttl")
    lines = shown(metrics, {"b": "stopped", "a": "ready"})
    for line in (
        'llmstack_model_load_seconds_bucket{model="a",le="2.5"} 0',
        'llmstack_model_load_seconds_bucket{model="a",le="5"} 1',
        'llmstack_model_swaps_total{model="a"} 1',
        'llmstack_model_evictions_total{model="b",reason="swap"} 1',
        'llmstack_model_evictions_total{model="b",reason="ttl"} 2',
    ):
        assert line in lines
    assert lines[-8:] == [
        f'llmstack_model_state{{model="{model}",state="{state}"}} {int(now == state)}'
        for model, now in (("a", "ready"), ("b", "stopped"))
        for state in ("stopped", "starting", "ready", "stopping")
    ]
