"""llmstack doctor as a whole: which checks are made where. Each by itself: tests/server/doctor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.workdir import WorkDir
from tests.cli.test_setup import program
from tests.server.doctor.test_daemon import answering
from tests.server.test_project import another_machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

INI = b"[a]\nrole = agent\nhf_repo = o/r\nhf_file = f.gguf\nctx_size = 8192\n"


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


def checks(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(outcome.out)}


def test_an_empty_directory_is_told_how_to_begin(command: Callable[..., Outcome]) -> None:
    outcome = command("doctor")
    assert outcome.status == 0
    assert "llmstack setup" in outcome.out


def test_a_thin_client_is_not_asked_for_models_of_its_own(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """What counts there is whether the other stack answers."""
    with another_machine(INI) as (url, _):
        assert command("install", "--external", url).status == 0
        outcome = command("doctor", "--json")
        assert outcome.status == 0
        found = checks(outcome)
        assert found["channel"]["level"] == "ok"
        assert found["opencode.json"]["level"] == "ok"
        assert not {"models.ini", "models", "memory", "llama-server", "port"} & set(found)
    outcome = command("doctor", "--json")
    assert outcome.status == 1
    assert checks(outcome)["channel"]["level"] == "problem"


def test_an_edit_that_no_agent_was_told_of_is_a_warning_and_not_a_failure(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """The whole way: connect, a smaller window, doctor, connect again, doctor."""
    work.state.mkdir()
    work.models_ini.write_bytes(INI)
    command("configure")
    command("connect", "claude", "--yes")
    assert checks(command("doctor", "--json"))["connection"]["level"] == "ok"
    work.models_ini.write_bytes(INI.replace(b"8192", b"4096"))
    outcome = command("doctor", "--json")
    found = checks(outcome)
    assert outcome.status == 0
    assert found["connection"]["level"] == found["opencode.json"]["level"] == "warning"
    assert "8192 tokens, a serves 4096" in found["connection"]["finding"]
    for told in (found["connection"]["fix"], found["opencode.json"]["fix"]):
        assert command(*told.split()[1:], *(["--yes"] if "connect" in told else [])).status == 0
    found = checks(command("doctor", "--json"))
    assert found["connection"]["level"] == found["opencode.json"]["level"] == "ok"


def test_an_agent_that_tells_no_version_is_there_without_one(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Programs that are asked for a version may do anything."""
    program(tmp_path / "bin", "codex", "x" * 100_000)
    found = checks(command("doctor", "--json", PATH=str(tmp_path / "bin")))
    assert found["codex"]["finding"].startswith("of unknown version")


@pytest.mark.parametrize("body", [[], {"data": [1]}, {"data": [{"id": "a", "meta": 3}]}, "x", None])
def test_whatever_another_machine_answers_is_no_crash(
    body: object, command: Callable[..., Outcome], work: WorkDir
) -> None:
    work.state.mkdir()
    with answering(body) as url:
        work.default_channel.write_text(f"external {url}\n")
        work.opencode_json.write_text("{}")
        for name in ("status", "models", "doctor", "configure", "connect claude --dry-run"):
            outcome = command(*name.split())
            assert outcome.status in (0, 1)
            assert "Traceback" not in outcome.err, outcome.err
        assert command("status").status == 1
