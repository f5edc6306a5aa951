"""The channel, the daemon and its ports."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack import __version__
from llmstack.config.marker import Marker, write_marker
from llmstack.config.stack import Settings, Stack
from llmstack.config.workdir import WorkDir
from llmstack.server.doctor import daemon
from llmstack.server.doctor.daemon import check_channel, check_daemon
from llmstack.server.record import DaemonRecord
from tests.server.test_project import another_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


@contextmanager
def answering(body: object) -> Iterator[str]:
    """A gateway that answers everything with ``body``; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def living(monkeypatch: pytest.MonkeyPatch, gateway: str, version: str = __version__) -> None:
    record = DaemonRecord(1, 1.0, gateway, gateway, version)
    monkeypatch.setattr(daemon, "living_daemon", lambda _: record)


def test_a_port_that_is_taken_is_a_problem(work: WorkDir) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        settings = replace(Settings(), router_port=taken, engine_port=0)
        checks = list(check_daemon(work, Stack("models.ini", settings, ()), {}))
    assert [(check.name, check.level) for check in checks] == [
        ("daemon", "ok"),
        ("port", "problem"),
        ("port", "ok"),
    ]
    assert str(taken) in checks[1].finding
    assert checks[1].fix


def test_a_daemon_that_is_well_is_ok(work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({"problems": []}) as gateway:
        living(monkeypatch, gateway)
        (check,) = check_daemon(work, None, {})
    assert check.level == "ok"


def test_a_model_that_could_not_be_loaded_is_a_problem(
    work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering({"problems": ["plan: out of memory"]}) as gateway:
        living(monkeypatch, gateway)
        (check,) = check_daemon(work, None, {})
    assert check.level == "problem"
    assert "plan: out of memory" in check.finding


def test_a_daemon_that_does_not_answer_is_a_problem(
    work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    living(monkeypatch, "http://127.0.0.1:9")
    (check,) = check_daemon(work, None, {})
    assert check.level == "problem"
    assert check.fix == "llmstack restart"


def test_a_daemon_of_another_version_is_a_warning(
    work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering({}) as gateway:
        living(monkeypatch, gateway, "0.0.1")
        (check,) = check_daemon(work, None, {})
    assert check.level == "warning"
    assert "0.0.1" in check.finding


def test_a_channel_that_was_chosen_since_is_a_warning(work: WorkDir) -> None:
    write_marker(work.default_channel, Marker("next"))
    check = check_channel(work, Marker("current"), {})
    assert check.level == "warning"
    assert check.fix == "llmstack restart --next"
    assert check_channel(work, Marker("next"), {}).level == "ok"


def test_a_thin_client_whose_stack_does_not_answer_has_a_problem(work: WorkDir) -> None:
    gone = check_channel(work, Marker("external", "http://127.0.0.1:9"), {})
    assert gone.level == "problem"
    assert "127.0.0.1:9" in gone.finding
    with another_machine(b"[a]\n") as (url, _):
        assert check_channel(work, Marker("external", url), {}).level == "ok"


def test_a_thin_client_without_the_key_is_told_which_variable(work: WorkDir) -> None:
    with another_machine(b"", 401) as (url, keys):
        check = check_channel(work, Marker("external", url), {"LLMSTACK_API_KEY": "k"})
    assert check.level == "problem"
    assert "LLMSTACK_API_KEY" in check.fix
    assert keys == ["Bearer k"]
