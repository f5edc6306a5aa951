"""What a user's surroundings may be like: no command answers with a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.stack import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

INI = "[a]\nrole = agent\nhf_repo = o/r\nhf_file = f.gguf\ndescription = größer\n"
LLMSTACK = [sys.executable, "-P", "-m", "llmstack"]

#: Commands that only look.
LOOKING = ("status", "models", "config validate", "config show", "configure --print", "version")


def clean(outcome: Outcome) -> None:
    assert outcome.status in (0, 1), outcome
    assert "Traceback" not in outcome.err + outcome.out, outcome.err


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / ".llmstack").mkdir()
    return tmp_path / ".llmstack"


def test_a_file_in_the_place_of_our_directory_is_named(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / ".llmstack").write_text("")
    for name in ("init", "install", "setup"):
        outcome = command(name, HF_HUB_OFFLINE="1")
        clean(outcome)
        assert outcome.status == 1
        assert str(tmp_path / ".llmstack") in outcome.err


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("opencode.json", "configure"),
        ("llama-swap.yaml", "configure"),
        ("default-channel", "init"),
        ("download.lock", "download --status"),
        ("daemon.lock", "start"),
        ("logs/router.log", "start"),
        ("models.ini", "status"),
        ("daemon.json", "status"),
    ],
)
def test_a_directory_in_the_place_of_a_file_is_named(
    name: str, asked: str, command: Callable[..., Outcome], state: Path
) -> None:
    (state / "models.ini").write_text(INI)
    if name == "models.ini":
        (state / name).unlink()
    (state / name).mkdir(parents=True)
    outcome = command(*asked.split())
    clean(outcome)
    assert outcome.status == 1
    if asked != "status":
        assert name in outcome.err


def test_bytes_that_are_no_text_are_a_problem_of_the_file(
    command: Callable[..., Outcome], state: Path
) -> None:
    (state / "models.ini").write_bytes(bytes(range(256)))
    for name in ("start", "models", "configure", "check", "doctor", "config validate"):
        clean(command(*name.split(), HF_HUB_OFFLINE="1"))


@pytest.mark.parametrize("asked", LOOKING)
def test_a_terminal_without_unicode_is_no_reason_to_fail(
    asked: str, command: Callable[..., Outcome], state: Path
) -> None:
    (state / "models.ini").write_text(INI, "utf-8")
    outcome = command(*asked.split(), PYTHONIOENCODING="ascii", COLUMNS="20", NO_COLOR="1")
    clean(outcome)
    assert "\x1b" not in outcome.out


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("asked", ["version", "status", "models --json"])
def test_closed_streams_are_no_reason_to_fail(
    asked: str, redirection: str, state: Path, tmp_path: Path
) -> None:
    (state / "models.ini").write_text(INI, "utf-8")
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *LLMSTACK, *asked.split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == (1 if asked == "status" else 0), done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_an_output_that_is_full_is_said_and_1(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*LLMSTACK, "help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_early_ends_nothing_with_a_traceback(tmp_path: Path) -> None:
    """``llmstack help | head -1`` used to be a BrokenPipe traceback."""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" | head -1', "sh", *LLMSTACK, "config", "show"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "LLMSTACK_MODELS_INI": _shipped(tmp_path)},
        check=False,
    )
    assert done.stdout
    assert done.stderr == ""


def _shipped(tmp_path: Path) -> str:
    from llmstack.config import default_ini

    path = tmp_path / "shipped.ini"
    path.write_text(default_ini(), "utf-8")
    return str(path)


def test_without_a_home_there_is_still_an_answer(
    command: Callable[..., Outcome], state: Path
) -> None:
    (state / "models.ini").write_text(INI, "utf-8")
    for name in ("status", "connect --json", "connect claude --dry-run", "doctor"):
        clean(command(*name.split(), HOME="/nonexistent/home"))


def test_ctrl_c_in_a_followed_log_is_130_without_a_traceback(state: Path, tmp_path: Path) -> None:
    logs = state / "logs"
    logs.mkdir()
    (logs / "router.log").write_text("one\ntwo\n")
    argv = [*LLMSTACK, "logs", "-f", "-n", "1"]
    output = tmp_path / "output"
    with output.open("wb") as stream:
        following = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=tmp_path
        )
    with following:
        try:
            eventually(lambda: output.read_text() == "two\n", "the last line is shown")
            with (logs / "router.log").open("a") as log:
                log.write("three\n")
            eventually(lambda: output.read_text() == "two\nthree\n", "what comes is shown")
            following.send_signal(signal.SIGINT)
            assert following.wait(30) == 130
        finally:
            following.kill()
    assert output.read_text() == "two\nthree\n\ninterrupted\n"


def test_no_lines_are_no_lines(command: Callable[..., Outcome], state: Path) -> None:
    (state / "logs").mkdir()
    (state / "logs" / "router.log").write_text("one\n")
    (state / "logs" / "model-plan.log").write_text("one\n")
    assert command("logs", "-n", "0").out == ""
    assert command("logs", "-n", "-5").status == 2
    unknown = command("logs", "code-fast", "-f")
    assert unknown.status == 1
    assert "plan, router" in unknown.err


def test_status_names_what_waits_for_the_next_channel(
    command: Callable[..., Outcome], state: Path
) -> None:
    (state / "models.ini").write_text(INI + "hf_file_next = g.gguf\n[b]\npath = x.gguf\n")
    report = json.loads(command("status", "--json").out)
    assert report["queued"] == ["a"]
    assert report["ready"] is False


def test_the_list_of_connections_is_json_too(command: Callable[..., Outcome], state: Path) -> None:
    """The list named nobody as connected, because it looked in the wrong place."""
    (state / "models.ini").write_text(INI, "utf-8")
    connected = command("connect", "claude", "--yes")
    assert connected.status == 0
    assert connected.out == "", "a shell may evaluate it"
    assert "+" in connected.err
    rows = {row["agent"]: row for row in json.loads(command("connect", "--json").out)}
    assert rows["claude"]["connected"]
    assert rows["claude"]["files"]
    assert rows["claude"]["windows"]["auto"]
    assert not rows["codex"]["connected"]
    assert "[OK] claude" in command("connect").out


def test_the_version_is_json_too(command: Callable[..., Outcome]) -> None:
    assert json.loads(command("version", "--json").out)["version"]


def test_a_name_that_is_not_utf_8_is_refused_where_it_would_have_to_be_written(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9 \xff")
    (odd / ".llmstack").mkdir(parents=True)
    (odd / ".llmstack" / "models.ini").write_text(INI)
    (odd / ".llmstack" / "AGENTS.md").write_text("")  # opencode.json names it
    here = {"LLMSTACK_WORK_DIR": str(odd)}
    refused = command("configure", **here)
    clean(refused)
    assert refused.status == 1
    assert "caf\\udce9" in refused.err
    assert "Rename it" in refused.err
    assert sorted(p.name for p in (odd / ".llmstack").iterdir() if p.name.startswith(".")) == []
    for name in ("status", "connect", "connect --json", "connect claude --undo", "doctor"):
        clean(command(*name.split(), HF_HUB_OFFLINE="1", **here))
