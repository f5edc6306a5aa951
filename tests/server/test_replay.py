"""A recorded day through another policy shows what would have moved."""

from __future__ import annotations

from itertools import pairwise

from llmstack.activity import ActivityRow
from llmstack.activity.tally import Usage
from llmstack.routing.simulation import day
from llmstack.server.replay import measured, replay
from tests.routing.simulation.stages import SHIPPED

NOON = 1_700_000_000


def row(at: int, reason: str, tier: str = "code-smart", **changes: object) -> ActivityRow:
    tokens = int(str(changes.pop("tokens", 8000)))
    values = {
        "model": tier,
        "req_path": "/v1/chat/completions",
        "resp_status_code": 200,
        "timestamp": NOON + at,
        "usage": Usage(input_tokens=tokens, output_tokens=20),
        "duration_ms": 1000,
        "tier": tier,
        "reason": reason,
        "metadata": {"session": "s"},
        **changes,
    }
    return ActivityRow(**values)  # type: ignore[arg-type]


def test_a_title_that_went_to_a_big_model_would_have_gone_to_the_small_one() -> None:
    rows = [row(0, "plan words, no tools", "plan"), row(9, "title: loaded", "plan", tokens=300)]
    found = replay(rows, SHIPPED, SHIPPED, "sticky")
    assert [(old.event.kind, new.model) for old, new in found.moved] == [("title", "code-fast")]


def test_wishes_of_words_are_wished_again() -> None:
    rows = [
        row(0, "plan words, no tools", "plan"),
        row(100, "uncensored trigger", "plan-uncensored"),
        row(200, "<= 12000 tokens"),
    ]
    found = replay(rows, SHIPPED, SHIPPED, "ladder")
    assert found.moved == ()
    assert found.recording.unsure == 0


def test_models_that_clients_named_stay() -> None:
    rows = [row(0, "named by the client", "plan"), row(100, "named by the client")]
    for policy in ("ladder", "sticky", "explicit"):
        found = replay(rows, SHIPPED, SHIPPED, policy)
        assert found.moved == ()
        assert found.recording.named == 2


def test_what_cannot_be_replayed_is_counted() -> None:
    rows = [
        row(0, "<= 12000 tokens", metadata={}),
        row(1, "", "other-model"),
        row(2, "<= 12000 tokens", req_path="/v1/embeddings"),
        row(3, "<= 12000 tokens", tokens=0),
    ]
    recording = replay(rows, SHIPPED, SHIPPED, "sticky").recording
    assert (len(recording.events), recording.left_out, recording.without_session) == (1, 3, 1)


def test_a_few_tokens_say_nothing_about_prompt_speed() -> None:
    """What a tool's short result takes is overhead."""
    usages = [
        Usage(input_tokens=n, prompt_per_second=speed)
        for n, speed in ((20, 30.0), (30, 40.0), (9000, 900.0))
    ]
    rows = [row(at, "<= 12000 tokens", usage=usage) for at, usage in enumerate(usages)]
    assert measured(rows, SHIPPED.costs)["code-smart"].prefill == 900.0


def test_measured_loads_take_the_place_of_assumed_ones() -> None:
    rows = [row(0, "plan words, no tools", "plan"), row(100, "<= 12000 tokens", load_ms=90_000)]
    found = replay(rows, SHIPPED, SHIPPED, "ladder")
    assert found.before.swap_seconds == 90
    assert found.recording.load_seconds == 90


def test_a_day_of_the_bare_ladder_replayed_with_it_moves_next_to_nothing() -> None:
    """What a generated day's log would hold is replayed as it was simulated."""
    events = day(1001, declares=False)
    simulated, steps = SHIPPED.play(events, SHIPPED.policy("ladder"))
    rows = [
        row(
            round(step.served.ended),
            "plan words, no tools" if step.model == "plan" else "<= 32000 tokens",
            step.model,
            usage=Usage(input_tokens=step.event.tokens, output_tokens=step.event.output),
            duration_ms=round(1000 * (step.served.ended - step.came)),
            metadata={"session": step.event.conversation},
        )
        for step in steps
    ]
    rows.sort(key=lambda one: one.timestamp)
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(rows))
    found = replay(rows, SHIPPED, SHIPPED, "ladder")
    assert found.moved == ()
    assert abs(found.before.swaps - simulated.swaps) <= 2
    better = replay(rows, SHIPPED, SHIPPED, "sticky")
    assert better.after.lost <= better.before.lost
