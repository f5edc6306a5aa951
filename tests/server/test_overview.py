"""The overview is made of its readings and nothing else."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.day import Day
from llmstack.engine import ModelStatus, State
from llmstack.server.overview import Device, Elsewhere, Held, Reading, Standing, overview

READY = ModelStatus("one", State.READY, 2, 90.0, 17, ttl_left=30.04, queue=1, memory=1000)
NONE = Reading(
    time=5000.0,
    version="1",
    uptime=12.34,
    standing=Standing(),
    clock=100.0,
    local=(),
    names={},
    elsewhere=(),
    devices=(),
    rates={},
    day=Day(4000.0),
)


def spending(tier: str, **more: float | None) -> dict[str, object]:
    row = {"tier": tier, "today_usd": 0.25, "month_usd": 3.0, "over": None}
    return {**row, "budget_usd_per_day": None, "budget_usd_per_month": None, **more}


def test_a_loaded_model_is_told_with_all_that_is_known() -> None:
    reading = replace(
        NONE,
        local=(READY,),
        names={"one": "One"},
        rates={"one": 12.345},
        day=Day(4000.0, peaks={"one": 40.0}),
    )
    told = overview(reading)
    assert told["models"] == [
        {
            "id": "one",
            "name": "One",
            "provider": "local",
            "state": "ready",
            "since": 4990.0,
            "in_flight": 2,
            "waiting": 1,
            "ttl_left": 30.0,
            "memory": 1000,
            "tokens_per_second": 12.3,
            "peak_tokens_per_second": 40.0,
        }
    ]
    assert told["queue"] == {"waiting": 1, "in_flight": 2, "loading": []}
    assert told["tokens_per_second"] == 12.3


def test_models_elsewhere_have_neither_memory_nor_time_to_live() -> None:
    cloud = Elsewhere("cloud", "", "bedrock", "down", in_flight=3)
    told = overview(replace(NONE, elsewhere=(cloud,)))
    (row,) = told["models"]
    assert (row["provider"], row["state"], row["in_flight"]) == ("bedrock", "down", 3)
    assert (row["memory"], row["ttl_left"], row["since"]) == (None, None, None)
    assert told["queue"]["in_flight"] == 3


def test_a_device_tells_the_largest_share_first_and_which_are_estimates() -> None:
    device = Device("gpu0", "G", 100, 90, (Held("a", 10), Held("b", 50, estimated=True)))
    (told,) = overview(replace(NONE, devices=(device,)))["devices"]
    assert told["models"] == [
        {"id": "b", "bytes": 50, "estimated": True},
        {"id": "a", "bytes": 10, "estimated": False},
    ]


def test_a_cost_is_only_told_where_something_has_a_price() -> None:
    assert overview(NONE)["today"]["cost_usd"] is None
    rows = (spending("a", budget_usd_per_day=2.0), spending("b", budget_usd_per_month=9.0))
    told = overview(replace(NONE, spending=rows))
    assert told["today"]["cost_usd"] == 0.5
    assert told["budgets"] == [
        {"tier": "a", "period": "day", "spent_usd": 0.25, "budget_usd": 2.0},
        {"tier": "b", "period": "month", "spent_usd": 3.0, "budget_usd": 9.0},
    ]


statuses = st.builds(
    ModelStatus,
    id=st.text(),
    state=st.sampled_from(State),
    in_flight=st.integers(0, 9),
    since=st.floats(0, 100),
    pid=st.none() | st.integers(1, 9),
    ttl_left=st.none() | st.floats(0, 9),
    queue=st.integers(0, 9),
    memory=st.none() | st.integers(0, 9),
)


@given(st.lists(statuses), st.dictionaries(st.text(), st.floats(0, 1e6)))
def test_every_reading_becomes_json_whose_sums_are_those_of_its_models(
    local: list[ModelStatus], rates: dict[str, float]
) -> None:
    told = overview(replace(NONE, local=tuple(local), rates=rates))
    msgspec.json.encode(told)
    assert told["queue"]["waiting"] == sum(row["waiting"] for row in told["models"])
    assert told["queue"]["loading"] == [
        row["id"] for row in told["models"] if row["state"] == "starting"
    ]
