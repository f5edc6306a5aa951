"""The breaker: a state machine over injected time, checked against a model of what it promises."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmstack.backends.breaker import (
    LIMIT,
    LONGEST_HOLD,
    LONGEST_REST,
    REST,
    Breaker,
    Pass,
    Refused,
)


class Time:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def let_in(breaker: Breaker, model: str = "") -> Pass:
    """A request that must be let in."""
    entry = breaker.enter(model)
    assert isinstance(entry, Pass)
    return entry


def opened(time: Time, random: float = 0.5) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(time, lambda: random)
    for _ in range(LIMIT):
        let_in(breaker).failed()
    return breaker


def test_only_failures_in_a_row_open_the_circuit() -> None:
    breaker = Breaker(Time(), lambda: 0.5)
    for _ in range(LIMIT - 1):
        let_in(breaker).failed()
    let_in(breaker).succeeded()
    for _ in range(LIMIT - 1):
        let_in(breaker).failed()
    assert breaker.state == "closed"
    let_in(breaker).failed()
    assert breaker.enter() == Refused("circuit", REST)


def test_the_rest_doubles_with_every_failed_probe_up_to_five_minutes() -> None:
    time = Time()
    breaker = opened(time)
    rests = []
    for _ in range(8):
        rests.append(breaker.wait)
        time.now += breaker.wait
        let_in(breaker).failed()
    assert rests == [10, 20, 40, 80, 160, 300, 300, 300]
    time.now += LONGEST_REST
    let_in(breaker).succeeded()
    for _ in range(LIMIT):
        let_in(breaker).failed()
    assert breaker.wait == REST


def test_jitter_keeps_a_rest_within_a_quarter_of_its_length() -> None:
    assert opened(Time(), 0.0).wait == 7.5
    assert opened(Time(), 0.999).wait < 12.5


def test_one_probe_at_a_time_and_one_that_left_makes_room() -> None:
    time = Time()
    breaker = opened(time)
    time.now += REST
    probe = let_in(breaker)
    assert probe.probe
    assert breaker.enter() == Refused("circuit", 0.0)
    probe.left()
    probe.failed()  # too late to say anything
    second = let_in(breaker)
    second.succeeded()
    assert breaker.state == "closed"


def test_those_who_were_let_in_before_it_opened_do_not_count() -> None:
    time = Time()
    breaker = Breaker(time, lambda: 0.5)
    early = [let_in(breaker) for _ in range(LIMIT + 3)]
    for entry in early[:LIMIT]:
        entry.failed()
    early[LIMIT].succeeded()
    assert breaker.state == "open"
    time.now += REST
    early[LIMIT + 1].failed()
    early[LIMIT + 2].left()
    let_in(breaker).succeeded()
    assert breaker.state == "closed"


def test_a_model_that_is_held_is_left_alone_and_no_other() -> None:
    time = Time()
    breaker = Breaker(time, lambda: 0.5)
    breaker.hold("slow", 30)
    assert breaker.enter("slow") == Refused("hold", 30)
    let_in(breaker, "other").succeeded()
    assert breaker.state == "closed"
    time.now += 30
    let_in(breaker, "slow")
    breaker.hold("slow", 1e9)
    assert breaker.enter("slow") == Refused("hold", LONGEST_HOLD)
    for number in range(5000):
        breaker.hold(str(number), 5)
    assert len(breaker._holds) <= 1000


class Doors(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.breaker = Breaker(self.time, lambda: 0.5)
        self.inside: list[Pass] = []
        self.refused_since = None

    @rule()
    def enter(self) -> None:
        before = self.breaker.state
        entry = self.breaker.enter()
        if isinstance(entry, Pass):
            assert before != "open"
            assert entry.probe == (before == "half-open")
            self.inside.append(entry)
        else:
            assert before != "closed"
            assert 0 <= entry.wait <= LONGEST_REST * 1.25
            # Somebody is let in again: in time, or when the probe that is out comes back.
            assert entry.wait > 0 or any(one.probe for one in self.inside)

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "left"]))
    def leave(self, data: st.DataObject, outcome: str) -> None:
        place = data.draw(st.integers(0, len(self.inside) - 1))
        entry = self.inside.pop(place)
        getattr(entry, outcome)()
        if entry.probe and outcome == "succeeded":
            assert self.breaker.state == "closed"
        if entry.probe and outcome == "failed":
            assert self.breaker.state == "open"

    @invariant()
    def at_most_one_probe_is_out(self) -> None:
        assert sum(entry.probe for entry in self.inside) <= 1

    def teardown(self) -> None:
        """Nothing that happened keeps everybody out for ever."""
        for entry in self.inside:
            entry.left()
        self.time.now += LONGEST_REST * 1.25
        let_in(self.breaker).succeeded()
        let_in(self.breaker)


TestDoors = Doors.TestCase
