"""Which agents are on PATH, whatever they answer."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from llmstack.wiring.agent_programs import PROGRAMS, AgentProgram, installed_agents
from llmstack.wiring.agents import AGENTS

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, name: str, script: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("1.18.33", "1.18.33"),
        ("2.1.197 (Claude Code)", "2.1.197"),
        ("codex-cli 0.169.0", "0.169.0"),
        ("llm, version 0.36", "0.36"),
        ("v1.0.0-beta.2", "1.0.0-beta.2"),
        ("no numbers here", ""),
    ],
)
def test_the_version_is_found_in_what_they_say(tmp_path: Path, says: str, version: str) -> None:
    path = program(tmp_path, "opencode", f"echo '{says}'")
    found = installed_agents({"PATH": str(tmp_path)})
    assert found == [AgentProgram("opencode", path, version)]


def test_one_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    program(tmp_path, "claude", "exec /bin/sleep 60")
    begun = time.monotonic()
    (found,) = installed_agents({"PATH": str(tmp_path)}, limit=0.2)
    assert found.version == ""
    assert time.monotonic() - begun < 30


def test_one_that_cannot_be_run_is_there_without_a_version(tmp_path: Path) -> None:
    (tmp_path / "aider").write_text("#!/nowhere/python\n")
    (tmp_path / "aider").chmod(0o755)
    (found,) = installed_agents({"PATH": str(tmp_path)})
    assert (found.agent, found.version) == ("aider", "")


def test_they_leave_nothing_where_the_command_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some write files into the directory that they are started in."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    program(tmp_path, "aider", "echo 1.0 > .aider.history; /bin/cat .aider.history")
    (found,) = installed_agents({"PATH": str(tmp_path)})
    assert found.version == "1.0"
    assert list(project.iterdir()) == []


def test_nothing_on_path_is_nothing_found(tmp_path: Path) -> None:
    assert installed_agents({"PATH": str(tmp_path)}) == []


def test_every_one_of_them_can_be_connected() -> None:
    assert set(PROGRAMS) <= set(AGENTS)
