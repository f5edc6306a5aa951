"""While models are loaded the engine learns what they take, and decides by that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap import MemoryPlan
from llmstack.engine.footprints import Footprints
from llmstack.engine.learned import LearnedFile
from llmstack.engine.plan import State
from llmstack.errors import NoRoom
from llmstack.hub.capacity import Capacity
from tests.engine.simulation import Stage, config, model, stage, until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.anyio

MIB = 1 << 20


@dataclass
class Scales:
    """Says what processes take; ``sizes`` in MiB by model."""

    sizes: dict[str, int]
    stage: list[Stage] = field(default_factory=list)

    def __call__(self, pids: Iterable[int]) -> dict[int, int]:
        wanted = set(pids)
        return {
            process.pid: self.sizes[process.argv[0]] * MIB
            for process in self.stage[0].launcher.processes
            if process.pid in wanted and process.argv[0] in self.sizes
        }


def footprints(root: Path, scales: Scales) -> Footprints:
    return Footprints(
        {},
        file=LearnedFile(root / "footprints.json"),
        capacity=lambda: Capacity(8 << 30, "machine", "memory"),
        measure=scales,
    )


def size(scene: Stage, name: str) -> tuple[int | None, str]:
    assert scene.engine.memory
    known = scene.engine.memory.known[name]
    return known.size and known.size // MIB, known.source


async def test_unknown_models_run_alone_until_they_were_measured(tmp_path: Path) -> None:
    scales = Scales({"a": 300, "b": 400, "c": 500})
    setup = config(model("a"), model("b"), model("c"), memory=MemoryPlan(1000 * MIB))
    async with stage(setup, footprints=footprints(tmp_path, scales)) as scene:
        scales.stage.append(scene)
        (await scene.load("a")).release()
        await until(lambda: size(scene, "a") == (300, "measured"))
        (await scene.load("b")).release()
        await until(lambda: size(scene, "b") == (400, "measured"))
        assert scene.launcher.living() == ["b"], "b was unknown and so ran alone"
        (await scene.load("a")).release()
        assert scene.launcher.living() == ["b", "a"]
    async with stage(setup, footprints=footprints(tmp_path, scales)) as scene:
        scales.stage[:] = [scene]
        assert size(scene, "a") == (300, "measured")
        assert size(scene, "b") == (400, "measured")
        (await scene.load("a")).release()
        (await scene.load("b")).release()
        assert scene.launcher.living() == ["a", "b"], "what was learned is kept"


async def test_what_has_been_idle_longest_goes_and_pinned_models_stay(tmp_path: Path) -> None:
    sizes = {"memory": 400 * MIB}
    names = ("p", "a", "b")
    setup = config(
        *(model(name, **sizes) for name in names),
        model("c", **sizes),
        memory=MemoryPlan(1300 * MIB, pinned=("p",)),
    )
    async with stage(setup, footprints=footprints(tmp_path, Scales({}))) as scene:
        for name in names:
            (await scene.load(name)).release()
            await scene.clock.advance(60)
        assert scene.launcher.living() == ["p", "a", "b"]
        lease = scene.engine.try_lease(scene.engine.resolve("a"))
        assert lease
        lease.release()
        await scene.clock.advance(60)
        (await scene.load("c")).release()
        assert scene.launcher.living() == ["p", "a", "c"]
        reasons = [e.what for e in scene.events if e.model == "b" and e.state is State.STOPPING]
        assert reasons == ["evicted for c"]


async def test_a_running_answer_is_never_cut_for_memory(tmp_path: Path) -> None:
    setup = config(
        model("a", memory=600 * MIB), model("b", memory=600 * MIB), memory=MemoryPlan(1000 * MIB)
    )
    async with stage(setup, footprints=footprints(tmp_path, Scales({}))) as scene:
        lease = await scene.load("a")
        waiting = scene.ask("b")
        await scene.clock.advance(60)
        assert scene.launcher.living() == ["a"]
        lease.release()
        await scene.ready("b")
        (await waiting).release()
        assert scene.launcher.living() == ["b"]


async def test_two_starts_at_once_count_each_other(tmp_path: Path) -> None:
    setup = config(
        model("a", memory=600 * MIB), model("b", memory=600 * MIB), memory=MemoryPlan(1000 * MIB)
    )
    async with stage(setup, footprints=footprints(tmp_path, Scales({}))) as scene:
        first, second = scene.ask("a"), scene.ask("b")
        await scene.ready("a")
        assert scene.launcher.living() == ["a"], "b must wait for a's load"
        (await first).release()
        await scene.ready("b")
        (await second).release()
        assert scene.launcher.living() == ["b"]


async def test_what_cannot_fit_beside_a_pinned_model_is_told_at_once(tmp_path: Path) -> None:
    setup = config(
        model("p", memory=600 * MIB),
        model("b", memory=600 * MIB),
        memory=MemoryPlan(1000 * MIB, pinned=("p",)),
    )
    async with stage(setup, footprints=footprints(tmp_path, Scales({}))) as scene:
        (await scene.load("p")).release()
        with pytest.raises(NoRoom, match="b does not fit into memory"):
            await scene.engine.lease(scene.engine.resolve("b"))
        assert scene.launcher.living() == ["p"]
        await scene.engine.unload("p")
        (await scene.load("b")).release()
        assert scene.launcher.living() == ["b"]


async def test_growth_is_noticed_while_a_model_runs(tmp_path: Path) -> None:
    scales = Scales({"a": 300})
    setup = config(model("a"), memory=MemoryPlan(1000 * MIB))
    async with stage(setup, footprints=footprints(tmp_path, scales)) as scene:
        scales.stage.append(scene)
        (await scene.load("a")).release()
        await until(lambda: size(scene, "a") == (300, "measured"))
        scales.sizes["a"] = 700
        await until(lambda: scene.clock.asleep)
        await scene.clock.advance(11)
        await until(lambda: size(scene, "a") == (700, "measured"))
        scales.sizes["a"] = 500
        await until(lambda: scene.clock.asleep)
        await scene.clock.advance(11)
        await until(lambda: scene.clock.asleep)
        assert size(scene, "a") == (700, "measured"), "the most that was seen counts"


async def test_a_process_that_a_reload_will_replace_teaches_nothing_about_the_new_one(
    tmp_path: Path,
) -> None:
    scales = Scales({"a": 300})
    setup = config(model("a"), memory=MemoryPlan(1000 * MIB))
    async with stage(setup, footprints=footprints(tmp_path, scales)) as scene:
        scales.stage.append(scene)
        lease = await scene.load("a")
        await until(lambda: size(scene, "a") == (300, "measured"))
        changed = config(model("a", cmd="a --more"), memory=MemoryPlan(1000 * MIB))
        reload = scene.go(scene.engine.reconfigure(changed))
        scales.sizes["a"] = 800
        await until(lambda: scene.clock.asleep)
        await scene.clock.advance(11)
        file = LearnedFile(tmp_path / "footprints.json")
        await until(lambda: [one.size for one in file.read().values()] == [800 * MIB])
        assert size(scene, "a") == (None, "unknown")
        lease.release()
        await reload
