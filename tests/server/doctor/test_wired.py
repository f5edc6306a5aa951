"""What agents were told, compared with what is so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmstack.config.marker import Marker
from llmstack.config.workdir import WorkDir
from llmstack.server import project
from llmstack.server.doctor import wired
from llmstack.server.doctor.wired import check_agents, check_connection, check_opencode_json
from llmstack.wiring.agents import AGENTS
from llmstack.wiring.connection import Connection, WrittenFile, carry_out, connections_record
from llmstack.wiring.endpoint import Endpoint, OfferedModel, Place
from tests.cli.test_setup import program

if TYPE_CHECKING:
    from pathlib import Path

CURRENT = Marker("current")
INI = """[code-fast]
role = fast
hf_repo = o/r
hf_file = f.gguf
ctx_size = 8192
[code-smart]
role = agent
hf_repo = o/r
hf_file = s.gguf
ctx_size = 65536
"""


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    """A project as ``install`` leaves it."""
    work = WorkDir(tmp_path / "project")
    project.begin(work, INI)
    project.write(work, project.render(work, CURRENT, {}))
    return work


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """No agent is on PATH."""
    return {"PATH": str(tmp_path / "bin"), "LLMSTACK_DATA_DIR": str(tmp_path / "data")}


def edit(work: WorkDir, old: str, new: str) -> None:
    text = work.models_ini.read_text()
    assert old in text
    work.models_ini.write_text(text.replace(old, new))


def connect(work: WorkDir, tmp_path: Path, agent: str) -> None:
    """As ``llmstack connect`` does, with the windows of ``INI``."""
    windows = {"auto": 65536, "code-fast": 8192, "code-smart": 65536}
    models = tuple(OfferedModel(name, window, 1024) for name, window in windows.items())
    place = Place(work.root, tmp_path, connections_record(tmp_path / "data", work.root))
    endpoint = Endpoint("http://127.0.0.1:10101", models)
    carry_out(agent, AGENTS[agent](endpoint, place), endpoint, place)


def test_what_install_wrote_is_up_to_date(work: WorkDir) -> None:
    assert check_opencode_json(work, CURRENT, {}).level == "ok"


def test_an_opencode_json_that_is_missing_or_foreign_or_older_is_a_warning(work: WorkDir) -> None:
    edit(work, "[code-fast]", "[code-quick]")
    assert "code-fast, which there is no more" in check_opencode_json(work, CURRENT, {}).finding
    work.opencode_json.write_text("{}")
    assert "not from llmstack" in check_opencode_json(work, CURRENT, {}).finding
    work.opencode_json.unlink()
    check = check_opencode_json(work, CURRENT, {})
    assert (check.level, check.fix) == ("warning", "llmstack configure")


def test_a_new_tier_is_not_in_the_opencode_json_yet(work: WorkDir) -> None:
    edit(work, "[code-fast]", "[plan]\nrole = plan\nhf_repo = o/r\nhf_file = p.gguf\n[code-fast]")
    check = check_opencode_json(work, CURRENT, {})
    assert check.level == "warning"
    assert "models.ini" in check.finding


def test_a_window_that_shrank_is_told_with_both_numbers(work: WorkDir) -> None:
    """W15: a client that is told more than there is sends more than fits."""
    edit(work, "ctx_size = 65536", "ctx_size = 32768")
    check = check_opencode_json(work, CURRENT, {})
    assert check.level == "warning"
    assert "65536 tokens, code-smart serves 32768" in check.finding


def test_a_window_that_grew_does_no_harm(work: WorkDir) -> None:
    edit(work, "ctx_size = 65536", "ctx_size = 131072")
    assert check_opencode_json(work, CURRENT, {}).level == "ok"


def test_a_connection_whose_window_shrank_names_the_way_back(
    work: WorkDir, environ: dict[str, str], tmp_path: Path
) -> None:
    connect(work, tmp_path, "claude")
    (_, check) = check_agents(work, CURRENT, environ)
    assert check.level == "ok", check
    edit(work, "ctx_size = 65536", "ctx_size = 32768")
    (_, check) = check_agents(work, CURRENT, environ)
    assert check.level == "warning"
    assert "claude was told" in check.finding
    assert "code-smart serves 32768" in check.finding
    assert check.fix == "llmstack connect claude"


def test_the_window_that_a_running_model_has_counts(
    work: WorkDir, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model was loaded with less than models.ini asks for."""
    connect(work, tmp_path, "claude")
    served = Endpoint("http://127.0.0.1:1", (OfferedModel("code-smart", 20_000, 1024),))
    monkeypatch.setattr(wired, "project_endpoint", lambda *_: served)
    (_, check) = check_agents(work, CURRENT, environ)
    assert "65536 tokens, code-smart serves 20000" in check.finding
    assert "code-fast, which there is no more" in check.finding


def test_a_file_that_is_gone_is_a_warning(
    work: WorkDir, environ: dict[str, str], tmp_path: Path
) -> None:
    connect(work, tmp_path, "claude")
    (work.root / ".claude" / "settings.local.json").unlink()
    (_, check) = check_agents(work, CURRENT, environ)
    assert check.level == "warning"
    assert "settings.local.json is gone" in check.finding


def test_what_was_connected_everywhere_is_connected_everywhere_again() -> None:
    gone = (WrittenFile("/nowhere/settings.json", "", ""),)
    check = check_connection(Connection("claude", gone, {}, everywhere=True), {})
    assert check.fix == "llmstack connect claude --global"


def test_agents_on_path_are_named_with_version_and_wiring(
    work: WorkDir, environ: dict[str, str], tmp_path: Path
) -> None:
    program(tmp_path / "bin", "claude", "2.1.197 (Claude Code)")
    program(tmp_path / "bin", "codex", "codex-cli 0.169.0")
    connect(work, tmp_path, "claude")
    checks = {check.name: check for check in check_agents(work, CURRENT, environ)}
    assert checks["claude"].finding == "2.1.197"
    assert checks["codex"].finding.startswith("0.169.0; to connect it: llmstack connect codex")


def test_an_opencode_json_with_anything_in_it_is_no_crash(work: WorkDir) -> None:
    """It lies in a directory that anybody may have written."""
    ours = json.loads(work.opencode_json.read_text())
    for models in ([], {"a": 1}, {"a": {"limit": {"context": []}}}, None):
        config = {**ours, "provider": {"llama.cpp": {"models": models}}}
        work.opencode_json.write_text(json.dumps(config))
        assert check_opencode_json(work, CURRENT, {}).level == "warning"
