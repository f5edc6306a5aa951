"""A row has llama-swap's shape, to the order of its members."""

from __future__ import annotations

import json

import pytest

from llmstack.activity import ActivityRow, Usage, rfc3339


@pytest.mark.top40(30, "rows of the activity")
def test_a_row_has_exactly_the_documented_shape() -> None:
    usage = Usage(
        input_tokens=10,
        output_tokens=20,
        cache_tokens=5,
        draft_tokens=-1,
        draft_acc_tokens=-1,
        prompt_per_second=100.5,
        tokens_per_second=-1.0,
    )
    row = ActivityRow(
        id=7,
        timestamp=1_700_000_000,
        model="m",
        req_path="/v1/chat/completions",
        resp_content_type="application/json",
        resp_status_code=200,
        usage=usage,
        duration_ms=1234,
    )
    assert json.dumps(row.to_json(has_capture=True)) == (
        '{"id": 7, "timestamp": "2023-11-14T22:13:20Z", "model": "m",'
        ' "req_path": "/v1/chat/completions", "resp_content_type": "application/json",'
        ' "resp_status_code": 200, "tokens": {"cache_tokens": 5, "draft_tokens": -1,'
        ' "draft_acc_tokens": -1, "input_tokens": 10, "output_tokens": 20,'
        ' "prompt_per_second": 100.5, "tokens_per_second": -1.0}, "duration_ms": 1234,'
        ' "has_capture": true}'
    )


def test_what_llmstack_knows_more_is_text_in_the_metadata() -> None:
    row = ActivityRow(
        "m", "/x", 500, 0, error_msg="broken", metadata={"fifo_priority": "3", "tier": "own"},
        ttft_ms=0, load_ms=12, client="ci", tier="plan",
    )  # fmt: skip
    shown = row.to_json()
    assert shown["error_msg"] == "broken"
    assert shown["metadata"] == {
        "fifo_priority": "3",
        "tier": "own",
        "ttft_ms": "0",
        "load_ms": "12",
        "client": "ci",
    }


def test_what_an_answer_cost_and_where_it_came_from_is_metadata_too() -> None:
    usage = Usage(10, 20, reasoning_tokens=7, cache_write_tokens=3, found=True)
    row = ActivityRow(
        "m", "/x", 200, 0, usage=usage, backend="bedrock", instead_of="code-smart",
        cost_usd=0.0000125,
    )  # fmt: skip
    assert row.to_json()["metadata"] == {
        "backend": "bedrock",
        "instead_of": "code-smart",
        "reasoning_tokens": "7",
        "cache_write_tokens": "3",
        "cost_usd": "0.0000125",
    }
    assert ActivityRow("m", "/x", 200, 0, cost_usd=0.0).to_json()["metadata"] == {"cost_usd": "0"}


def test_a_row_without_usage_has_zeros_and_no_optional_members() -> None:
    shown = ActivityRow("m", "/x", 200, 0).to_json()
    assert set(shown["tokens"].values()) == {0}
    assert "error_msg" not in shown
    assert "metadata" not in shown


def test_moments_are_utc_and_have_fractions_only_when_needed() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1.25) == "1970-01-01T00:00:01.250000Z"
