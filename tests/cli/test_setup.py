"""llmstack setup, in directories with and without a project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.config.workdir import WorkDir
from tests.cli.test_download import SMALL, cached, environ, hub, project
from tests.e2e.stack import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome
    from tests.hub.hub_server import Hub

__all__ = ["environ", "hub", "project"]


def program(folder: Path, name: str, says: str, status: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(0o755)


def agents_only(tmp_path: Path) -> dict[str, str]:
    """A PATH with nothing on it but the stand-ins for agents."""
    return {"PATH": str(tmp_path / "bin"), "SHELL": "/bin/sh"}


def labels(outcome: Outcome) -> list[tuple[str, str]]:
    return re.findall(r"^\[(\d)/(\d)\]", outcome.out, re.MULTILINE)


def test_a_fresh_directory_becomes_a_project(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    """W10: setup before install used to end with 'no models.ini'."""
    outcome = command("setup", "--skip-download", HOME=str(tmp_path))
    work = WorkDir(tmp_path)
    assert outcome.status == 0, outcome.err
    assert work.models_ini.is_file()
    assert work.opencode_json.is_file()
    assert work.default_channel.read_text() == "current\n"
    assert "llmstack start" in outcome.out


def test_steps_are_counted_to_the_number_that_they_say(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    """The labels were 1/3 ... 3/3, 4/4, 5/5."""
    found = labels(command("setup", "--skip-download", HOME=str(tmp_path)))
    assert found == [(str(number), str(len(found))) for number in range(1, len(found) + 1)]
    assert len(found) >= 3


def test_a_project_that_is_there_is_kept(command: Callable[..., Outcome], project: WorkDir) -> None:
    before = project.models_ini.read_text()
    for _ in range(2):
        assert command("setup", "--skip-download", HOME=str(project.root)).status == 0
    assert project.models_ini.read_text() == before
    assert project.opencode_json.is_file()


def test_models_are_fetched(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], tmp_path: Path
) -> None:
    assert command("setup", HOME=str(tmp_path), **environ).status == 0
    assert cached(tmp_path, "o/r", "small.gguf").read_bytes() == SMALL


def test_models_are_fetched_behind_our_back(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], tmp_path: Path
) -> None:
    outcome = command("setup", "--skip-wait", HOME=str(tmp_path), **environ)
    assert outcome.status == 0
    assert "download --status" in outcome.out
    eventually(
        lambda: command("download", "--status", **environ).status == 0, "the download is complete"
    )


def test_a_download_that_fails_is_1_and_the_other_steps_are_taken(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    hub: Hub,
    tmp_path: Path,
) -> None:
    del hub.files["o/r/small.gguf"]
    program(tmp_path / "bin", "claude", "2.1.197 (Claude Code)")
    outcome = command("setup", HOME=str(tmp_path), **environ, **agents_only(tmp_path))
    assert outcome.status == 1
    assert "small.gguf" in outcome.err
    assert "llmstack connect claude" in outcome.out
    assert labels(outcome)[-1][0] == labels(outcome)[-1][1]


def test_agents_are_named_with_their_versions(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    """One that does not tell its version is there all the same."""
    program(tmp_path / "bin", "opencode", "1.18.33")
    program(tmp_path / "bin", "cn", "no idea", status=3)
    outcome = command("setup", "--skip-download", HOME=str(tmp_path), **agents_only(tmp_path))
    assert re.search(r"opencode +1\.18\.33 +llmstack connect opencode\n", outcome.out)
    assert re.search(r"continue +llmstack connect continue\n", outcome.out)
    assert "claude" not in outcome.out


def test_a_thin_client_has_nothing_to_set_up(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    work = WorkDir(tmp_path)
    work.state.mkdir()
    work.default_channel.write_text("external http://10.0.0.1:10101\n")
    work.opencode_json.write_text("{}")
    outcome = command("setup")
    assert outcome.status == 1
    assert "http://10.0.0.1:10101" in outcome.err
    assert not work.models_ini.exists()
