"""Twelve models under a matrix: what is evicted is what the cheapest allowed set leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.twelve import Twelve, twelve

if TYPE_CHECKING:
    from collections.abc import Iterator

Q, C0, C1 = "qwen3-30b-a3b", "qwen3-coder:30b", "qwen3-coder:30b-card1"
OSS, GEMMA, MISTRAL = "unsloth/gpt-oss-120b", "gemma3-27b", "mistral-small"
HELPERS = [{"bge-m3", "bge-reranker"}, {"bge-m3", "whisper"}]
COSTS = {OSS: 60, Q: 10, "bge-m3": 50}

#: The combinations of ``matrix.yaml``, written out by hand in the order that decides among equals.
SETS = [
    *HELPERS,
    *({*helpers, chat} for helpers in HELPERS for chat in (Q, GEMMA, MISTRAL)),
    {C0, C1, "bge-m3"},
    {OSS, "bge-m3"},
    {C0, "whisper"},
    {C1, "whisper"},
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twelve]:
    """One engine for the whole file."""
    with twelve(tmp_path_factory.mktemp("matrix"), "twelve-models", "matrix", "names") as engine:
        engine.settles({"bge-m3", Q})  # the preload hook; the matrix allows both
        yield engine
        engine.swap.process.terminate()
        assert engine.swap.end() == 0
        engine.swap.nothing_left()


def evicted(target: str, running: set[str]) -> set[str]:
    """By brute force: the cheapest set with the target, the first of equals; else everything."""
    if target in running:
        return set()
    costs = [
        (sum(COSTS.get(model, 1) for model in running - allowed), index)
        for index, allowed in enumerate(SETS)
        if target in allowed
    ]
    return running - SETS[min(costs)[1]] if costs else set(running)


def load(engine: Twelve, *models: str) -> None:
    """Unload all, then ask for ``models``, which then are running together."""
    assert engine.call("GET", "/unload").data == b"OK"
    for model in models:
        engine.seen(model)
    engine.settles(set(models))


def test_the_walk_follows_the_matrix(engine: Twelve) -> None:
    """Top 40, 9."""
    load(engine, "bge-m3", Q)
    expected = {"bge-m3", Q}
    steps = ["whisper", GEMMA, C0, C1, OSS, MISTRAL, "bge-reranker", "whisper", Q, "kokoro", C1]
    for model in steps:
        expected = expected - evicted(model, expected) | {model}
        engine.seen(model)
        engine.settles(expected)


def test_among_equals_the_first_set_decides(engine: Twelve) -> None:
    """Keeping one coder costs as much as keeping the other: ``c0 | c1`` names c0 first."""
    load(engine, C1, C0)
    assert evicted("whisper", {C0, C1}) == {C1}
    engine.seen("whisper")
    engine.settles({C0, "whisper"})


def test_a_dear_model_stays_where_a_cheap_one_can_go(engine: Twelve) -> None:
    """bge-m3 costs 50: whisper goes with it rather than with a coder, though both are allowed."""
    load(engine, C0, "bge-m3")
    engine.seen("whisper")
    engine.settles({"bge-m3", "whisper"})


def test_a_model_in_no_set_runs_alone(engine: Twelve) -> None:
    load(engine, "bge-m3", "whisper", GEMMA)
    engine.seen("kokoro")
    engine.settles({"kokoro"})


def test_a_spillover_selector_loads_what_the_matrix_lets_together(engine: Twelve) -> None:
    load(engine, "bge-m3")
    held = [engine.hold("coder") for _ in range(2)]
    engine.waits_for(C0, 2)
    held.append(engine.hold("coder"))
    engine.waits_for(C1, 1)
    assert engine.running() == {"bge-m3", C0, C1}
    engine.let_go(C0, 2)
    engine.let_go(C1, 1)
    assert [each.reply().status for each in held] == [200] * 3


def test_running_answers_end_before_a_model_leaves(engine: Twelve) -> None:
    """Top 40, 34: a model that the matrix gives up for another one is stopped after its answer."""
    load(engine, GEMMA)
    held = engine.hold(GEMMA)
    engine.waits_for(GEMMA, 1)
    other = engine.hold(MISTRAL)
    engine.let_go(GEMMA, 1)
    assert held.reply().status == 200
    engine.waits_for(MISTRAL, 1)
    assert engine.running() == {MISTRAL}
    engine.let_go(MISTRAL, 1)
    assert other.reply().status == 200
