"""A project that somebody else made: what commands do in it before its user has allowed it."""

from __future__ import annotations

import http.server
import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from llmstack.cli.here import work_dir
from llmstack.config.marker import Marker, write_marker
from llmstack.config.workdir import WorkDir
from llmstack.errors import LlmstackError
from tests.cli.test_doctor import INI
from tests.server.test_project import another_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Outcome

posix = pytest.mark.skipif(os.name != "posix", reason="links, scripts and owners are POSIX's")
ESCAPE = "\x1b]52;c;aGk=\x07"
KEY = {"LLMSTACK_API_KEY": "sk-mine"}


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("doctor",),
        ("models",),
        ("run", "hello"),
        ("configure",),
        ("install",),
        ("connect", "opencode", "--yes"),
        ("start", "--detach"),
    ],
    ids=" ".join,
)
def test_no_key_and_no_question_goes_where_only_the_project_says(
    command: Callable[..., Outcome], work: WorkDir, arguments: tuple[str, ...]
) -> None:
    """A default-channel that came along with a cloned project named whoever it liked."""
    with another_machine(INI) as (url, keys):
        write_marker(work.default_channel, Marker("external", url))
        work.opencode_json.write_text("{}")
        outcome = command(*arguments, **KEY)
        assert "Bearer sk-mine" not in keys
        assert arguments[0] == "doctor" or not keys
        assert "have not allowed" in outcome.out + outcome.err or arguments[0] == "doctor"
        assert command("init", "--external", url, **KEY).status == 0
        command("configure", **KEY)
        assert set(keys) - {None} == {"Bearer sk-mine"}


def test_an_address_in_the_environment_is_the_users_own(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """Nobody has to allow what they set themselves."""
    with another_machine(INI) as (url, keys):
        write_marker(work.default_channel, Marker("external", url))
        assert command("configure", LLMSTACK_REMOTE_URL=f"{url}/", **KEY).status == 0
        assert "Bearer sk-mine" in keys


@posix
@pytest.mark.parametrize(
    "arguments",
    [("doctor",), ("status",), ("fit", "--offline"), ("check",), ("config", "validate")],
    ids=" ".join,
)
def test_to_look_at_a_project_runs_nothing_of_it(
    command: Callable[..., Outcome], work: WorkDir, arguments: tuple[str, ...]
) -> None:
    """doctor asked the project's own llama-server for its version."""
    write_marker(work.default_channel, Marker("current"))
    program, ran = work.root / "evil", work.root / "ran"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o755)
    work.models_ini.write_text("[DEFAULT]\nllama_server_bin = ../evil\n" + INI.decode())
    command(*arguments, HF_HUB_OFFLINE="1")
    assert not ran.exists()
    if arguments == ("doctor",):
        command("allow")
        command("doctor")
        assert ran.exists()


@posix
def test_a_log_is_never_written_through_a_link(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """download --detach emptied what logs/download.log led to."""
    mine = work.root / "bashrc"
    mine.write_text("mine\n")
    work.logs.mkdir(parents=True)
    for name in ("download.log", "daemon.log", "router.log"):
        (work.logs / name).symlink_to("../../bashrc")
    work.models_ini.write_bytes(INI)
    assert command("download", "--detach", HF_HUB_OFFLINE="1").status == 0
    command("start", "--detach", LLAMA_SERVER_BIN="/bin/false", ROUTER_HOST="192.0.2.1")
    assert mine.read_text() == "mine\n"
    assert not (work.logs / "download.log").is_symlink()


@posix
@pytest.mark.parametrize(
    "name",
    ["models.ini", "opencode.json", "daemon.json", "daemon.lock", "download.json", "download.lock"],
)
@pytest.mark.parametrize("kind", ["endless", "pipe", "directory", "dangling"])
def test_no_command_hangs_on_what_is_no_file(
    command: Callable[..., Outcome], work: WorkDir, name: str, kind: str
) -> None:
    """A link to /dev/zero was read until memory was full, a pipe waited for."""
    work.state.mkdir()
    work.models_ini.write_bytes(INI)
    work.opencode_json.write_text("{}")
    path = work.state / name
    path.unlink(missing_ok=True)
    match kind:
        case "endless":
            path.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "dangling":
            path.symlink_to("../made")
    for arguments in (("status",), ("download", "--status"), ("doctor",)):
        outcome = command(*arguments, HF_HUB_OFFLINE="1")
        assert "Traceback" not in outcome.err
    assert not (work.root / "made").exists()


@pytest.mark.parametrize("arguments", [("status",), ("models",), ("doctor",), ("run", "a", "b")])
@pytest.mark.parametrize("status", [200, 500])
def test_another_machine_writes_no_escapes_to_the_terminal(
    command: Callable[..., Outcome], work: WorkDir, arguments: tuple[str, ...], status: int
) -> None:
    """Names and errors of a stack are shown as they came."""
    row = {"id": ESCAPE, "name": ESCAPE, "meta": {"llamaswap": {"ctx_size": [ESCAPE]}}}
    with shouting(status, json.dumps({"data": [row], "error": {"message": ESCAPE}})) as url:
        write_marker(work.default_channel, Marker("external", url))
        work.opencode_json.write_text("{}")
        outcome = command(*arguments, LLMSTACK_REMOTE_URL=url)
    assert "\x1b" not in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


@contextmanager
def shouting(status: int, body: str) -> Iterator[str]:
    """A server that answers everything with ``body``, escapes and all; its URL."""
    raw = body.replace("\\u001b", "\x1b") if status != 200 else body

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("x-llmstack-model", ESCAPE)
            self.end_headers()
            self.wfile.write(raw.encode())

        do_POST = do_GET  # noqa: N815  the base class's name

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


@posix
def test_a_project_of_another_user_is_not_taken_for_ours(
    work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can put a .llmstack into /tmp, above whatever a user does there."""
    work.state.mkdir()
    work.models_ini.write_bytes(INI)
    below = work.root / "mine"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.delenv("LLMSTACK_WORK_DIR", raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert work_dir().root == work.root
    if os.geteuid() == 0:
        os.chown(work.models_ini, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(LlmstackError, match="another user"):
        work_dir()
    monkeypatch.setenv("LLMSTACK_WORK_DIR", str(work.root))
    assert work_dir().root == work.root
