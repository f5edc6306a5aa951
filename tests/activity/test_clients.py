"""What each key's owner has used, without letting anybody make series at will."""

from __future__ import annotations

from llmstack.activity import ActivityRow, ActivityStore, Usage
from llmstack.activity.clients import MOST, OTHER, ClientMetrics
from llmstack.activity.exposition import render


def row(client: str, status: int = 200, usage: Usage | None = None, at: int = 0) -> ActivityRow:
    return ActivityRow(
        model="m",
        req_path="/v1/chat/completions",
        resp_status_code=status,
        timestamp=at,
        client=client,
        **({"usage": usage} if usage else {}),  # type: ignore[arg-type]
    )


def test_requests_errors_and_tokens_are_counted_by_name() -> None:
    metrics = ClientMetrics()
    metrics.request(row("a", usage=Usage(5, 7, 3, found=True)))
    metrics.request(row("a", 502))
    metrics.request(row(""))
    text = render(metrics.families()).decode()
    assert 'llmstack_client_requests_total{client="a"} 2' in text
    assert 'llmstack_client_errors_total{client="a"} 1' in text
    assert 'llmstack_client_input_tokens_total{client="a"} 5' in text
    assert 'llmstack_client_output_tokens_total{client="a"} 7' in text
    assert 'llmstack_client_cached_tokens_total{client="a"} 3' in text
    assert 'client=""' not in text


def test_names_beyond_the_most_are_counted_together() -> None:
    metrics = ClientMetrics()
    for number in range(MOST + 50):
        metrics.request(row(f"c{number}"))
    metrics.request(row("c0"))
    text = render(metrics.families()[:1]).decode()
    assert text.count("client=") == MOST + 1
    assert f'{{client="{OTHER}"}} 50' in text
    assert 'client="c0"} 2' in text


def test_the_log_tells_how_often_and_when_last() -> None:
    store = ActivityStore()
    try:
        for at, client in enumerate(["a", "b", "a", ""]):
            store.add(row(client, at=at + 1))
        assert store.ask_clients().result() == {"a": (2, 3), "b": (1, 2)}
    finally:
        store.close()
