"""The truth table of ``plan``: what happens next for a request, given what runs now."""

from __future__ import annotations

import pytest

from llmstack.config.swap import Group
from llmstack.engine.plan import Evict, Serve, Situation, State, Swap, Wait, plan
from llmstack.residency.groups import GroupResidency

STOPPED, STARTING, READY, STOPPING = State.STOPPED, State.STARTING, State.READY, State.STOPPING

# a, b, c exclude each other. x and y run side by side, but exclude a, b, c.
# guest neither evicts nor is asked; a newcomer from a, b, c or x, y does evict it.
# anchor is persistent: nobody evicts it.
RULES = GroupResidency(
    [
        Group("one", ("a", "b", "c")),
        Group("pair", ("x", "y"), swap=False),
        Group("loose", ("guest",), exclusive=False),
        Group("fixed", ("anchor",), persistent=True, exclusive=False),
    ]
)
MODELS = ("a", "b", "c", "x", "y", "guest", "anchor")


def now(*, busy: str = "", swaps: tuple[Swap, ...] = (), **states: State) -> Situation:
    return Situation(
        states=dict.fromkeys(MODELS, STOPPED) | states,
        busy=frozenset(busy.split()),
        swaps=swaps,
    )


def swap(target: str, *victims: str) -> Swap:
    return Swap(target, frozenset(victims))


def evict(*victims: str) -> Evict:
    return Evict(frozenset(victims))


@pytest.mark.parametrize(
    ("target", "situation", "expected"),
    [
        pytest.param("a", now(), evict(), id="nothing runs: start"),
        pytest.param("a", now(a=READY), Serve(), id="ready and alone: serve"),
        pytest.param("a", now(a=READY, busy="a"), Serve(), id="ready and busy: serve beside"),
        pytest.param("a", now(b=READY), evict("b"), id="an idle rival is evicted"),
        pytest.param("a", now(x=READY, y=READY), evict("x", "y"), id="all rivals are evicted"),
        pytest.param("y", now(x=READY), evict(), id="a compatible model runs on"),
        pytest.param("y", now(x=READY, busy="x"), evict(), id="a busy compatible model too"),
        pytest.param("a", now(anchor=READY, busy="anchor"), evict(), id="a persistent one stays"),
        pytest.param("b", now(b=STOPPING), "its own process is stopping", id="own process stops"),
        pytest.param(
            "a", now(b=READY, busy="b"), "b must finish answering first", id="a busy rival answers"
        ),
        pytest.param(
            "a",
            now(x=READY, y=READY, busy="y x"),
            "x, y must finish answering first",
            id="all busy rivals are named",
        ),
        pytest.param("a", now(b=STOPPING), evict("b"), id="a stopping rival is waited for"),
        pytest.param(
            "a",
            now(a=STARTING, swaps=(swap("a"),)),
            "loading",
            id="its own load runs: join it",
        ),
        pytest.param(
            "a",
            now(b=STOPPING, swaps=(swap("a", "b"),)),
            "loading",
            id="its own swap waits for victims: join it",
        ),
        pytest.param(
            "a",
            now(b=STARTING, swaps=(swap("b"),)),
            "the swap to b must finish first",
            id="a rival loads",
        ),
        pytest.param(
            "b",
            now(b=STOPPING, swaps=(swap("a", "b"),)),
            "its own process is stopping",
            id="it is being evicted",
        ),
        pytest.param(
            "x",
            now(y=STOPPING, swaps=(swap("a", "x", "y"),)),
            "being evicted for a",
            id="it was evicted and the swap is not over",
        ),
        pytest.param(
            "y", now(x=STARTING, swaps=(swap("x"),)), evict(), id="a compatible load runs beside"
        ),
        pytest.param(
            "y",
            now(x=STOPPED, a=STOPPING, swaps=(swap("x", "a"),)),
            "the swap to x must finish first",
            id="two swaps never share a victim",
        ),
        pytest.param(
            "guest", now(a=READY, busy="a"), evict(), id="a guest starts beside a busy model"
        ),
        pytest.param(
            "a",
            now(a=READY, guest=READY),
            evict("guest"),
            id="ready, but somebody came who may not stay: he goes first",
        ),
        pytest.param(
            "a",
            now(a=READY, guest=READY, busy="guest"),
            "guest must finish answering first",
            id="ready, but the one who must go answers",
        ),
    ],
)
def test_plan(target: str, situation: Situation, expected: Serve | Evict | str) -> None:
    step = plan(target, situation, RULES)
    assert step == (Wait(expected) if isinstance(expected, str) else expected)


def test_running_counts_stopping_models_and_the_targets_of_swaps() -> None:
    situation = now(a=STOPPING, x=READY, y=STARTING, swaps=(swap("y"), swap("b", "a")))
    assert situation.running() == {"a", "b", "x", "y"}


def test_the_target_itself_is_never_a_victim() -> None:
    class Greedy(GroupResidency):
        def evict(self, target: str, running: object, _: object = None) -> frozenset[str]:
            return frozenset(running)  # type: ignore[call-overload]

    assert plan("a", now(a=READY), Greedy(())) == Serve()
