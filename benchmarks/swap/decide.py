"""How long the matrix takes to say who must go."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from llmstack.config.swap import Matrix, MatrixSet, SwapConfig, SwapModel
from llmstack.engine.plan import Situation, State, plan
from llmstack.residency import compile_residency

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS = 8


@dataclass(slots=True)
class Shape:
    """A matrix, how many models of it run at once, and how long decisions took."""

    name: str
    sets: dict[str, str]
    running: int
    times_ms: list[float] = field(default_factory=list)


def shapes(models: int) -> Iterator[Shape]:
    """Matrices over as many models."""
    names = [f"m{number}" for number in range(models)]
    per_slot = models // SLOTS
    slots = [names[i * per_slot : (i + 1) * per_slot] for i in range(SLOTS)]
    product = " & ".join(f"({' | '.join(slot)})" for slot in slots)
    yield Shape(f"one set, {SLOTS} slots of {per_slot} models", {"all": product}, SLOTS)
    yield Shape(
        f"{models} sets of {SLOTS}",
        {
            f"s{n}": " & ".join(names[(n + k * 7) % models] for k in range(SLOTS))
            for n in range(models)
        },
        SLOTS,
    )
    pairs = {f"p{n}": f"{names[2 * n]} | {names[2 * n + 1]}" for n in range(models // 2)}
    joined = " & ".join(f"+{name}" for name in list(pairs)[:50])
    yield Shape("one of each of 50 pairs", {**pairs, "all": joined}, 40)
    yield Shape("no set has the model: everything goes", {"one": names[0]}, 40)


def decide(models: int, decisions: int, seed: int = 7) -> list[Shape]:
    """Time ``decisions`` of every shape, each for another target and another set of running ones.

    A decision is the whole ``plan``: the snapshot's running models, the matrix, the conflicts.
    Nothing that was decided before is asked again, so no answer comes from a memory. It is CPU
    time: a decision waits for nothing, and other programs do not count.
    """
    rng = Random(seed)  # noqa: S311  the same draws every time, no secrets
    names = [f"m{number}" for number in range(models)]
    found = list(shapes(models))
    for shape in found:
        sets = tuple(MatrixSet(name, text) for name, text in shape.sets.items())
        costs = {name: rng.randrange(1, 9) for name in names[::3]}
        config = SwapConfig(
            "benchmark", {name: SwapModel(name) for name in names}, matrix=Matrix({}, costs, sets)
        )
        residency = compile_residency(config)
        for _ in range(decisions):
            running = rng.sample(names, shape.running + 1)
            target = running.pop()
            states = dict.fromkeys(names, State.STOPPED) | dict.fromkeys(running, State.READY)
            now = Situation(states)
            begin = time.thread_time()
            plan(target, now, residency)
            shape.times_ms.append((time.thread_time() - begin) * 1e3)
    return found
