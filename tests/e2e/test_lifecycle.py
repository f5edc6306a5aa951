"""``start``, ``serve``, ``stop`` and ``status`` with real processes tell the truth."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.e2e.stack import Stack, assert_nothing_left, listens, models_ini, processes_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.stack import Tiers


@pytest.fixture
def tiers(tinywords_path: Path) -> Tiers:
    """A small tier and an agent tier."""
    model = {"path": str(tinywords_path), "size_gb": "0.1", "ctx_size": "8192"}
    return {"code-fast": {"role": "fast", **model}, "code-smart": {"role": "agent", **model}}


def test_start_means_that_a_request_succeeds_and_stop_leaves_nothing(
    tmp_path: Path, tiers: Tiers
) -> None:
    with Stack(tmp_path, models_ini(tiers)) as stack:
        assert stack.command("status").returncode == 1
        stack.start()
        assert stack.chat("auto", "hello", max_tokens=8).status == 200
        assert stack.command("status").returncode == 0
        again = stack.command("start", "--port", "1")
        assert again.returncode == 0
        assert "[=] already running" in again.stdout
        assert "--port came too late" in again.stderr
        stopped = stack.command("stop")
        assert stopped.returncode == 0
        assert not processes_of(stack.root), "stop returns when all is gone"
        assert not stack.listening()
        assert stack.command("status").returncode == 1
        assert stack.command("stop").returncode == 0, "what is stopped may be stopped"


def test_a_model_that_cannot_be_loaded_fails_the_start_and_leaves_nothing(
    tmp_path: Path, tiers: Tiers
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    tiers["code-fast"]["path"] = str(broken)
    with Stack(tmp_path / "work", models_ini(tiers)) as stack:
        failed = stack.command("start")
        assert failed.returncode == 1
        assert "code-fast" in failed.stderr
        assert "code-fast: code-fast:" not in failed.stderr
        assert "broken.gguf" in failed.stderr, "it says what the model process said"
        assert_nothing_left(stack.root, within=1)
        assert not stack.listening()


def test_of_two_starts_at_once_one_starts_and_both_are_right(tmp_path: Path, tiers: Tiers) -> None:
    with Stack(tmp_path, models_ini(tiers)) as stack:
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: stack.command("start"), range(2)))
        assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
        printed = sorted(done.stdout.splitlines()[-3] for done in both)
        assert [line[:4] for line in printed] == ["[=] ", "[OK]"]
        assert stack.chat("auto", "hello", max_tokens=8).status == 200


def test_restart_replaces_the_daemon_unless_models_ini_is_wrong(
    tmp_path: Path, tiers: Tiers
) -> None:
    with Stack(tmp_path, models_ini(tiers)) as stack:
        stack.start()
        first = stack.status()["pid"]
        right = stack.work.models_ini.read_text("utf-8")
        stack.work.models_ini.write_text(right.replace("8192", "many"), "utf-8")
        refused = stack.command("restart")
        assert refused.returncode == 1
        assert "many" in refused.stderr
        assert stack.status()["pid"] == first
        stack.work.models_ini.write_text(right, "utf-8")
        assert stack.command("restart").returncode == 0
        assert stack.status()["pid"] != first
        assert first not in {process.pid for process in processes_of(stack.root)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_on_a_signal(
    tmp_path: Path, tiers: Tiers, number: signal.Signals
) -> None:
    with Stack(tmp_path, models_ini(tiers)) as stack:
        with stack.serve() as daemon:
            assert stack.chat("code-smart", "hello", max_tokens=8).status == 200
            daemon.send_signal(number)
            assert daemon.wait(30) == 0
            assert not processes_of(stack.root)
        assert not any(map(listens, stack.ports))


def test_a_running_answer_may_end_before_the_daemon_does(tmp_path: Path, tiers: Tiers) -> None:
    body = {"model": "code-smart", "max_tokens": 2000, "ignore_eos": True, "prompt": "hello"}
    with Stack(tmp_path, models_ini(tiers)) as stack:
        stack.start()
        with (
            ThreadPoolExecutor(1) as pool,
            stack.stream("/v1/completions", body) as response,
        ):
            assert response.readline()
            stopping = pool.submit(stack.command, "stop")
            assert response.read().rstrip().endswith(b"data: [DONE]")
            assert stopping.result().returncode == 0


def test_a_directory_whose_name_is_not_utf_8_is_a_project_like_any_other(
    tmp_path: Path, tiers: Tiers
) -> None:
    """start waited for ever: the daemon could not say in JSON where it is."""
    with Stack(tmp_path / os.fsdecode(b"caf\xe9 \xff"), models_ini(tiers)) as stack:
        stack.start()
        assert stack.status()["ready"]
        stack.start()  # it is not taken for the stack of another project


def test_what_became_a_thin_client_can_still_stop_its_own_daemon(
    tmp_path: Path, tiers: Tiers
) -> None:
    with Stack(tmp_path / "a", models_ini(tiers)) as stack:
        stack.start()
        installed = stack.command("install", "--external", stack.gateway)
        assert installed.returncode == 0, installed.stderr
        stopped = stack.command("stop")
        assert stopped.returncode == 0
        assert "[OK] stopped the daemon that still ran here" in stopped.stdout
        assert not stack.listening()
        assert "still ran" not in stack.command("stop").stdout
