"""The imagined machine keeps the engine's rules, and what it says that things cost adds up."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from llmstack.routing.simulation import SimulatedMachine, cost_of
from tests.routing.simulation.stages import SHIPPED, event

NAMES = sorted(SHIPPED.costs)
WISHES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from("abcdef"), st.integers(1, 40_000)),
    max_size=40,
)


@given(WISHES, st.floats(0, 2000))
def test_models_that_the_matrix_forbids_are_never_loaded_together(
    wishes: list[tuple[str, str, int]], pause: float
) -> None:
    """A pair may be loaded if the rule, asked for one beside the other, evicts nobody."""
    allowed = {
        frozenset(pair)
        for pair in combinations(NAMES, 2)
        if not SHIPPED.residency.evict(pair[0], [pair[1]])
    }
    assert frozenset(("code-smart", "plan")) not in allowed
    machine, now = SHIPPED.machine(), 0.0
    for model, conversation, tokens in wishes:
        machine.expire(now)
        served = machine.serve(model, event(tokens, conversation), now)
        assert now <= served.begun <= served.ended
        assert all(frozenset(pair) in allowed for pair in combinations(machine.running, 2))
        now += pause


def test_a_prompt_that_was_read_is_not_read_again_until_its_model_leaves() -> None:
    machine = SHIPPED.machine()
    assert machine.serve("plan", event(1000), 0).read == 1000
    assert machine.serve("plan", event(1300), 100).read == 1300 - 1050
    left = machine.serve("code-smart", event(1000, "b"), 200)
    assert left.evicted == {"plan"}
    assert left.load == SHIPPED.costs["code-smart"].load
    assert machine.serve("plan", event(1400), 300).read == 1400


def test_the_conversation_that_was_not_used_for_longest_loses_its_slot() -> None:
    machine = SimulatedMachine(SHIPPED.residency, SHIPPED.costs, slots=2)
    for number, name in enumerate("abac"):
        machine.serve("plan", event(1000, name, prefix=name), number * 100.0)
    assert machine.serve("plan", event(1000, "a", prefix="a"), 500).read == 0
    assert machine.serve("plan", event(1000, "b", prefix="b"), 600).read == 1000


def test_a_slot_that_is_taken_keeps_what_both_prompts_begin_with() -> None:
    machine = SimulatedMachine(SHIPPED.residency, SHIPPED.costs, slots=1)
    machine.serve("plan", event(1000, "a", prefix_tokens=300), 0)
    assert machine.serve("plan", event(1000, "b", prefix_tokens=300), 100).read == 700


def test_a_load_waits_for_answers_of_those_that_must_leave() -> None:
    machine = SHIPPED.machine()
    first = machine.serve("code-smart", event(20_000), 0)
    second = machine.serve("plan", event(100, "b"), 1)
    assert second.begun == first.ended + SHIPPED.costs["plan"].load


def test_idle_models_leave_after_their_time_to_live() -> None:
    machine = SHIPPED.machine()
    ended = machine.serve("plan", event(), 0).ended
    machine.expire(ended + SHIPPED.costs["plan"].ttl - 1)
    assert "plan" in machine.running
    machine.expire(ended + SHIPPED.costs["plan"].ttl)
    assert machine.running == {"code-fast"}


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_larger_models_load_no_faster_and_read_no_faster(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert cost_of(small).load <= cost_of(large).load
    assert cost_of(small).prefill >= cost_of(large).prefill
