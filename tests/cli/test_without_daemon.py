"""What commands say when no daemon runs, or when models.ini is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def write_ini(tmp_path: Path, text: str) -> None:
    (tmp_path / ".llmstack").mkdir(exist_ok=True)
    (tmp_path / ".llmstack" / "models.ini").write_text(text)


def test_status_of_nothing_is_down_and_1(command: Callable[..., Outcome]) -> None:
    outcome = command("status")
    assert outcome.status == 1
    assert "llmstack start" in outcome.out


def test_status_of_nothing_as_json(command: Callable[..., Outcome]) -> None:
    outcome = command("status", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)["running"] is False


def test_stop_of_nothing_is_done_already(command: Callable[..., Outcome]) -> None:
    outcome = command("stop")
    assert outcome.status == 0
    assert outcome.out.startswith("[=]")


@pytest.mark.parametrize("name", ["start", "serve", "restart"])
def test_without_models_ini_the_way_to_one_is_named(
    name: str, command: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = command(name)
    assert outcome.status == 1
    assert "llmstack setup" in outcome.err
    assert not (tmp_path / ".llmstack").exists(), "a command that fails leaves nothing behind"


@pytest.mark.parametrize("name", ["start", "serve", "restart"])
def test_all_mistakes_are_told_at_once_with_their_lines(
    name: str, command: Callable[..., Outcome], tmp_path: Path
) -> None:
    write_ini(tmp_path, "[a]\nrole = agent\nctx_size = many\nhf_repo = x/y\nttl = soon\n")
    outcome = command(name)
    assert outcome.status == 1
    assert "models.ini:3" in outcome.err
    assert "models.ini:5" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_missing_local_file_is_named(command: Callable[..., Outcome], tmp_path: Path) -> None:
    write_ini(tmp_path, "[a]\nrole = agent\npath = nowhere.gguf\n")
    outcome = command("start")
    assert outcome.status == 1
    assert "nowhere.gguf" in outcome.err


def test_logs_of_nothing_say_so(command: Callable[..., Outcome]) -> None:
    outcome = command("logs")
    assert outcome.status == 1
    assert "Nothing has run here yet" in outcome.err


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/../b"])
def test_logs_never_leave_their_directory(
    name: str, command: Callable[..., Outcome], tmp_path: Path
) -> None:
    logs = tmp_path / ".llmstack" / "logs"
    logs.mkdir(parents=True)
    (tmp_path / "secret.log").write_text("secret")
    write_ini(tmp_path, "[a]\nrole = agent\nhf_repo = a/b\nhf_file = c.gguf\n")
    outcome = command("logs", name)
    assert outcome.status == 1
    assert "secret" not in outcome.out


def test_run_without_a_daemon_says_how_to_start_one(command: Callable[..., Outcome]) -> None:
    outcome = command("run", "hello")
    assert outcome.status == 1
    assert "llmstack start" in outcome.err


def test_doctor_reports_each_check_and_finds_a_bad_file(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    write_ini(tmp_path, "[a]\nrole = agent\nctx_size = many\n")
    outcome = command("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(outcome.out)}
    assert outcome.status == 1
    assert checks["models.ini"]["level"] == "problem"
    assert checks["llama-server"]["level"] == "ok"
    assert checks["llama-server"]["finding"]


def test_doctor_names_the_llama_server_that_cannot_run(
    command: Callable[..., Outcome],
) -> None:
    outcome = command("doctor", LLAMA_SERVER_BIN="/nowhere/llama-server")
    assert outcome.status == 1
    assert "/nowhere/llama-server" in outcome.out


def test_a_wrong_number_of_lines_is_explained(command: Callable[..., Outcome]) -> None:
    outcome = command("logs", "-n", "many")
    assert outcome.status == 2
    assert "'many' is no number of lines" in outcome.err


@pytest.mark.parametrize("option", ["--undo", "--yes", "--dry-run"])
def test_connect_without_an_agent_does_not_pretend_to_act(
    command: Callable[..., Outcome], option: str
) -> None:
    outcome = command("connect", option)
    assert outcome.status == 1
    assert "no agent is named" in outcome.err
    assert outcome.out == ""


def test_a_refusal_does_not_count_warnings_as_problems(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    """config validate and every other command count the same."""
    (tmp_path / ".llmstack").mkdir()
    (tmp_path / ".llmstack" / "models.ini").write_text("[a]\nrole = agent\nctx_sizes = 1\n")
    outcome = command("models")
    assert outcome.err.startswith("[!] 1 problem in the configuration")
    assert "warning: " in outcome.err
