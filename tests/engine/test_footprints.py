"""A model's memory is what is declared, else measured, else estimated, else unknown."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap import MemoryPlan, SwapConfig, SwapModel
from llmstack.engine.footprints import Footprints, told
from llmstack.engine.learned import LearnedFile
from llmstack.hub.capacity import Capacity
from tests.hub.gguf_file import header

if TYPE_CHECKING:
    from llmstack.residency.footprint import Known

MIB = 1 << 20
TINY = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"


class House:
    """Footprints over a file of its own, of one model ``m``."""

    def __init__(self, root: Path) -> None:
        self.gguf = root / "m.gguf"
        shutil.copyfile(TINY, self.gguf)
        self.file = LearnedFile(root / "state" / "footprints.json")
        self.model = SwapModel(
            id="m", cmd=f"llama-server -m {self.gguf} -c 4096 --port 5800", proxy="http://h:5800"
        )
        self.environ = {"PATH": os.environ["PATH"]}
        self.restart()

    def restart(self) -> None:
        self.footprints = Footprints(
            self.environ, file=self.file, capacity=lambda: Capacity(8 << 30, "machine", "memory")
        )

    def config(self, *models: SwapModel) -> SwapConfig:
        found = models or (self.model,)
        plan = MemoryPlan(pinned=("m",))
        return SwapConfig("config.yaml", models={m.id: m for m in found}, memory=plan)

    def known(self, model: SwapModel | None = None) -> Known:
        facts = self.footprints.facts(self.config(model or self.model))
        assert facts
        return facts.known["m"]

    def learn(self, size: int, *, used: bool = True) -> bool:
        news = self.footprints.learn("m", self.known(), size, 1.5, used=used)
        self.footprints.keep([self.known().key])
        return news


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_another_rule_needs_no_facts(house: House) -> None:
    config = replace(house.config(), memory=None)
    assert Footprints(house.environ, capacity=lambda: pytest.fail("looked")).facts(config) is None


def test_the_file_is_estimated(house: House) -> None:
    known = house.known()
    assert known.source == "estimated"
    assert known.parts
    assert known.size == known.parts.total("machine")
    assert known.parts.cells == 4096


def test_what_is_declared_goes_before_all_else(house: House) -> None:
    house.learn(70 * MIB)
    known = house.known(replace(house.model, memory=5 * MIB))
    assert (known.size, known.source, known.load_seconds) == (5 * MIB, "declared", 1.5)


def test_what_was_measured_goes_before_an_estimate_also_after_a_restart(house: House) -> None:
    assert house.learn(70 * MIB)
    for _ in range(2):
        assert (house.known().size, house.known().source) == (70 * MIB, "measured")
        assert house.known().load_seconds == 1.5
        assert house.known().parts
        house.restart()


def test_a_model_that_cannot_be_estimated_is_unknown_until_it_was_measured(house: House) -> None:
    house.model = replace(house.model, cmd="python server.py")
    assert house.known().size is None
    assert "not a llama-server" in house.known().why
    assert house.learn(9 * MIB, used=False)
    assert house.known().size == 9 * MIB


@pytest.mark.parametrize("change", ["command", "environment", "file", "variable", "program"])
def test_a_change_of_what_is_loaded_makes_a_measurement_worthless(
    house: House, change: str, tmp_path: Path
) -> None:
    house.learn(70 * MIB)
    match change:
        case "command":
            house.model = replace(house.model, cmd=house.model.cmd.replace("4096", "2048"))
        case "environment":
            house.model = replace(house.model, env=("CUDA_VISIBLE_DEVICES=1",))
        case "file":
            data = bytearray(TINY.read_bytes())
            data[-1] ^= 1
            house.gguf.write_bytes(data)
            os.utime(house.gguf, ns=(1, 1))
        case "variable":
            house.environ["LLAMA_ARG_PARALLEL"] = "1"
            house.restart()
        case "program":
            program = tmp_path / "llama-server"
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
            house.environ["PATH"] = str(tmp_path)
    assert house.known().source == "estimated"


def test_another_port_or_other_models_change_nothing(house: House) -> None:
    house.learn(70 * MIB)
    moved = replace(house.model, cmd=house.model.cmd.replace("5800", "5801"), proxy="http://h:5801")
    facts = house.footprints.facts(house.config(SwapModel(id="first", cmd="x"), moved))
    assert facts
    assert facts.known["m"].size == 70 * MIB


def test_before_the_first_answer_only_more_than_expected_counts(house: House) -> None:
    """Much of a file that is mapped has not been touched yet."""
    estimated = house.known().size
    assert estimated
    assert not house.learn(estimated // 2, used=False)
    assert house.known().source == "estimated"
    assert house.learn(estimated * 2, used=False)
    assert house.learn(estimated // 2)
    assert house.known().size == estimated // 2
    assert not house.learn(estimated // 3, used=False)


def test_noise_is_no_news(house: House) -> None:
    assert house.learn(1000 * MIB)
    assert not house.learn(1005 * MIB)
    assert house.learn(1100 * MIB)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "is not a file"), (b"GGUF", "not a usable GGUF file"), (b"", "not a usable GGUF")],
)
def test_a_file_that_is_no_good_is_unknown_and_says_why(
    house: House, content: bytes | None, said: str
) -> None:
    house.gguf.unlink()
    if content is not None:
        house.gguf.write_bytes(content)
    assert house.known().source == "unknown"
    assert said in house.known().why


def test_a_split_model_is_the_sum_of_its_parts(house: House, tmp_path: Path) -> None:
    numbers = {"general.architecture": "llama", "llama.block_count": 1}
    for n, size in ((1, 3 * MIB), (2, 5 * MIB)):
        path = tmp_path / f"big-0000{n}-of-00002.gguf"
        path.write_bytes(header(numbers, {f"blk.0.w{n}": size}))
    named = replace(house.model, cmd=f"llama-server -m {tmp_path}/big-00001-of-00002.gguf")
    parts = house.known(named).parts
    assert parts
    assert parts.weights.of("machine") == 8 * MIB
    (tmp_path / "big-00002-of-00002.gguf").unlink()
    assert "00002-of-00002.gguf is not a file" in house.known(named).why


def test_the_log_says_what_is_reckoned_with(house: House) -> None:
    config = house.config(house.model, SwapModel(id="x", cmd="python y"))
    facts = house.footprints.facts(config)
    assert facts
    lines = told(config, facts)
    assert lines[0] == "memory: 7.0 GiB for all models, of 8.0 GiB memory"
    assert lines[1].endswith("(estimated, pinned)")
    assert "x runs alone until it was measured" in lines[2]


def test_a_disk_that_is_full_is_a_warning(
    house: House, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("in the way")
    assert house.learn(70 * MIB)
    assert "cannot be kept" in caplog.text


def test_with_gpus_only_their_memory_counts(house: House) -> None:
    """A tool that has told of one of our processes is believed about the others."""
    told_: dict[int, int] = {}
    house.footprints = Footprints(
        house.environ,
        file=house.file,
        capacity=lambda: Capacity(8 << 30, "gpu", "memory of A"),
        gpu_memory=lambda: told_,
    )
    known = house.known()
    assert known.parts
    assert known.size == known.parts.total("gpu")
    on_host = replace(house.model, cmd=f"{house.model.cmd} -ngl 0")
    assert house.known(on_host).size == 0
    ours = os.getpgrp()
    assert house.footprints.measured([ours, 1 << 22]) == {}
    told_[os.getpid()] = 5 * MIB
    assert house.footprints.measured([ours, 1 << 22]) == {ours: 5 * MIB, 1 << 22: 0}


def test_nothing_may_be_declared(house: House) -> None:
    assert house.known(replace(house.model, memory=0)).source == "declared"
