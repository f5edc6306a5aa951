"""The walk: from an empty directory to a stack that answers, and what follows.

The demo's model stands in for those of the shipped models.ini, in the hub's cache, where a download
would have put it. The tests share one project and go through it in order.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.cli.prompts import PROMPTS
from llmstack.config.templates import render_demo_ini
from llmstack.config.workdir import WorkDir
from tests.e2e.stack import Stack, processes_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # the model is 93 MB, and may have to be fetched first

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TIERS = ("plan", "code-smart", "code-fast", "plan-uncensored")


class Walk(Stack):
    """A stack whose models are in a cache of the hub, which itself is out of reach."""

    def __init__(self, root: Path, model: Path, upgrade: Path) -> None:
        self.cache = root.parent / "huggingface"
        files = self.cache / "hub" / "models--owner--demo"
        (files / "refs").mkdir(parents=True)
        (files / "refs" / "main").write_text(COMMIT)
        (files / "snapshots" / COMMIT).mkdir(parents=True)
        (files / "snapshots" / COMMIT / "demo.gguf").symlink_to(model)
        (files / "snapshots" / COMMIT / "upgrade.gguf").symlink_to(upgrade)
        local, hub = f"path = {model}\n", "hf_repo = owner/demo\nhf_file = demo.gguf\n"
        ini = render_demo_ini(model)
        assert local in ini
        ini = ini.replace(local, hub).replace("[plan]\n", "[plan]\nhf_file_next = upgrade.gguf\n")
        super().__init__(root, ini)
        self.ini = self.work.models_ini.read_text("utf-8")
        shutil.rmtree(self.work.state)

    def command(
        self, *arguments: str, timeout: float = 120, cwd: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``llmstack`` in the project, without its hub."""
        nowhere = "http://127.0.0.1:9"
        own = {"HF_HOME": str(self.cache), "HF_ENDPOINT": nowhere, "MODEL_ENDPOINT": nowhere}
        own["HOME"] = str(self.root.parent)  # where the hook of a shell would go
        data = str(self.root.parent / "data")
        return super().command(
            *arguments, timeout=timeout, cwd=cwd, LLMSTACK_DATA_DIR=data, **{**own, **environ}
        )

    def well(self, *arguments: str, **environ: str) -> str:
        """What a command printed that succeeded."""
        done = self.command(*arguments, **environ)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def elsewhere(self, other: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same in another project of the same user."""
        return self.command(*arguments, cwd=other, LLMSTACK_WORK_DIR=str(other))


@pytest.fixture(scope="module")
def walk(
    demo_model: Path, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walk]:
    """W10: every command of the quick start, in its order, in an empty directory."""
    root = tmp_path_factory.mktemp("walk") / "project"
    with Walk(root, demo_model, tiny_chat) as walk:
        assert list(root.iterdir()) == []
        assert "llmstack start" in walk.well("setup", "--skip-download")
        walk.work.models_ini.write_text(walk.ini, "utf-8")
        walk.well("install")
        walk.well("configure")
        walk.well("start")
        yield walk


def test_the_walk_begins_with_everything_in_place(walk: Walk) -> None:
    work = walk.work
    assert work.default_channel.read_text() == "current\n"
    assert work.active_channel.read_text() == "current\n"
    assert work.agents_md.is_file()
    assert work.swap_yaml.is_file()
    config = json.loads(work.opencode_json.read_text("utf-8"))
    options = config["provider"]["llama.cpp"]["options"]
    assert options["baseURL"] == f"{walk.gateway}/v1"


@pytest.mark.parametrize(("prompt", "tier"), [*zip(PROMPTS, TIERS, strict=True)], ids=TIERS)
def test_each_example_lands_on_its_tier(walk: Walk, prompt: Any, tier: str) -> None:
    answer = walk.chat("auto", prompt.text, max_tokens=8)
    assert answer.status == 200
    assert answer.headers["x-llmstack-model"] == tier
    assert answer.headers["x-llmstack-reason"]
    assert answer.json()["choices"][0]["message"]["content"]


def test_status_tells_what_is_loaded_and_what_waits(walk: Walk) -> None:
    status = walk.status()
    assert status["ready"]
    assert status["channel"] == "current"
    assert status["queued"] == ["plan"]
    rows = {row["id"]: row for row in status["models"]}
    assert set(rows) == set(TIERS)
    assert rows["code-fast"]["state"] == "ready"
    assert rows["code-fast"]["memory"] > 50e6
    shown = walk.well("status")
    assert "on the next channel: plan" in shown
    assert walk.gateway in shown


def test_doctor_finds_no_problem(walk: Walk) -> None:
    """Model files are found in the cache without asking the hub, which is out of reach."""
    checks = json.loads(walk.well("doctor", "--json"))
    levels = {check["name"]: check["level"] for check in checks}
    assert "problem" not in levels.values()
    for name in ("models.ini", "models", "daemon", "channel", "opencode.json"):
        assert levels[name] == "ok", checks


def test_a_second_project_uses_the_stack_as_a_thin_client(walk: Walk, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    installed = walk.elsewhere(second, "install", "--external", walk.gateway)
    assert installed.returncode == 0, installed.stderr
    work = WorkDir(second)
    assert work.default_channel.read_text() == f"external {walk.gateway}\n"
    assert not work.models_ini.exists()
    config = json.loads(work.opencode_json.read_text("utf-8"))
    assert config["provider"]["llama.cpp"]["options"]["baseURL"] == f"{walk.gateway}/v1"
    assert "which answers" in walk.elsewhere(second, "start").stdout
    status = json.loads(walk.elsewhere(second, "status", "--json").stdout)
    assert status["ready"]
    assert {"auto", *TIERS} <= set(status["models"])
    assert walk.elsewhere(second, "run", "--max-tokens", "8", "plan", "hello").stdout.strip()
    for refused in ("setup", "download", "install-llama-swap"):
        assert walk.elsewhere(second, refused).returncode == 1
    assert walk.elsewhere(second, "stop").returncode == 0
    assert walk.status()["ready"], "its stop stops nothing of ours"


def test_another_project_is_not_started_on_the_same_ports(walk: Walk, tmp_path: Path) -> None:
    """W33: and its stop does not end what it does not own."""
    other = tmp_path / "other"
    (other / ".llmstack").mkdir(parents=True)
    WorkDir(other).models_ini.write_text(walk.ini, "utf-8")
    refused = walk.elsewhere(other, "start")
    assert refused.returncode == 1
    assert str(walk.root) in refused.stderr
    assert f"install --external {walk.gateway}" in refused.stderr
    walk.elsewhere(other, "stop")
    assert walk.status()["ready"]


def test_the_next_channel_serves_the_upgrade_and_can_be_left(walk: Walk) -> None:
    """The upgrade is another model: it knows the capital that the first only rambles about."""
    question = "What is the capital of France?"
    assert walk.command("start", "--next").returncode == 1, "it runs already, on another channel"
    walk.well("restart", "--next")
    assert walk.work.active_channel.read_text() == "next\n"
    assert walk.status()["channel"] == "next"
    answer = walk.chat("plan", question, max_tokens=16, temperature=0).json()
    assert answer["choices"][0]["message"]["content"] == "The capital of France is Paris."
    walk.well("restart", "--current")
    assert walk.status()["channel"] == "current"
    assert "demo.gguf" in walk.work.swap_yaml.read_text("utf-8")


def test_a_bad_option_of_restart_stops_nothing(walk: Walk) -> None:
    """A mistake used to be found only after the stop."""
    before = walk.status()["pid"]
    assert walk.command("restart", "--nonsense").returncode == 2
    assert walk.command("restart", "--help").returncode == 0
    assert walk.command("restart", "--port", "99999").returncode == 1
    assert walk.status()["pid"] == before


def test_stop_leaves_nothing(walk: Walk) -> None:
    walk.well("stop")
    assert not processes_of(walk.root)
    assert not walk.listening()
    down = walk.command("status")
    assert down.returncode == 1
    assert "llmstack start" in down.stdout
