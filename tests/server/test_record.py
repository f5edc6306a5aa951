"""One daemon per work directory: the lock says whether one lives, the record says which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.config.workdir import WorkDir
from llmstack.engine.identity import Identity
from llmstack.hub.file_lock import Lock, held
from llmstack.server.record import DaemonRecord, living_daemon, read_record

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from llmstack.hub.file_lock import Lock
lock = Lock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


@pytest.fixture
def me() -> DaemonRecord:
    identity = Identity.of(os.getpid())
    assert identity
    return DaemonRecord(
        identity.pid, identity.started, "http://127.0.0.1:1", "http://127.0.0.1:2", "0"
    )


def holder(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def said(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "state" / "daemon.lock"
    one, other = Lock(path), Lock(path)
    assert one.acquire()
    assert not other.acquire()
    assert held(path)
    one.release()
    assert not held(path)
    assert other.acquire()
    other.release()


def test_a_lock_has_one_holder_among_processes(tmp_path: Path) -> None:
    """W18: two simultaneous starts both used to report OK."""
    path = tmp_path / "lock"
    processes = [holder(path) for _ in range(4)]
    try:
        assert sorted(said(process) for process in processes) == [b"False"] * 3 + [b"True"]
    finally:
        for process in processes:
            process.communicate()


def test_a_lock_is_let_go_of_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = holder(path)
    assert said(process) == b"True"
    assert held(path)
    process.kill()
    process.communicate()
    assert not held(path)
    lock = Lock(path)
    assert lock.acquire()
    lock.release()


def test_a_child_of_the_holder_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """Else a model that outlives the daemon would keep the next one from starting."""
    path = tmp_path / "lock"
    lock = Lock(path)
    assert lock.acquire()
    with subprocess.Popen(["sleep", "60"]) as child:
        lock.release()
        assert not held(path)
        child.kill()


def test_releasing_twice_does_nothing(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
    lock.release()


def test_looking_for_a_lock_creates_nothing(tmp_path: Path) -> None:
    assert not held(tmp_path / "nothing")
    assert not list(tmp_path.iterdir())


def test_a_daemon_is_its_record_and_its_lock(work: WorkDir, me: DaemonRecord) -> None:
    me.write(work.daemon_record)
    assert living_daemon(work) is None
    lock = Lock(work.daemon_lock)
    assert lock.acquire()
    try:
        assert living_daemon(work) == me
    finally:
        lock.release()
    assert living_daemon(work) is None


def test_a_record_is_for_its_owner_only(work: WorkDir, me: DaemonRecord) -> None:
    """W38: state files used to be readable by everybody."""
    me.write(work.daemon_record)
    assert work.daemon_record.stat().st_mode & 0o077 == 0
    assert read_record(work.daemon_record) == me


def test_a_record_of_a_dead_process_counts_for_nothing(work: WorkDir, me: DaemonRecord) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = Identity.of(process.pid)
        assert identity
        process.kill()
    replace(me, pid=identity.pid, started=identity.started).write(work.daemon_record)
    lock = Lock(work.daemon_lock)
    assert lock.acquire()
    assert living_daemon(work) is None
    lock.release()


def test_a_record_whose_pid_is_somebody_elses_now_counts_for_nothing(
    work: WorkDir, me: DaemonRecord
) -> None:
    """W33: a stale pid file once got an unrelated process killed."""
    replace(me, started=me.started - 1).write(work.daemon_record)
    lock = Lock(work.daemon_lock)
    assert lock.acquire()
    assert living_daemon(work) is None
    lock.release()


def test_looking_at_a_stale_record_does_not_touch_the_lock(
    work: WorkDir, me: DaemonRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that takes the lock at this very moment would find it taken and give up."""
    replace(me, started=me.started - 1).write(work.daemon_record)
    work.daemon_lock.touch()
    monkeypatch.setattr(Lock, "acquire", lambda self: pytest.fail("it took the lock"))
    assert living_daemon(work) is None


GOOD = {"pid": 1, "started": 1.0, "gateway": "a", "engine": "b", "version": "c"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"pid": 1}',
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "pid": "1"}),
        json.dumps({**GOOD, "pid": None}),
        json.dumps({**GOOD, "pid": -1}),
        json.dumps({**GOOD, "pid": 2**70}),
        json.dumps({**GOOD, "pid": True}),
        json.dumps({**GOOD, "started": "x"}),
        json.dumps({**GOOD, "started": None}),
        json.dumps({**GOOD, "gateway": None}),
        "\udcff",
    ],
)
def test_a_record_that_is_none_counts_for_nothing(work: WorkDir, text: str) -> None:
    work.state.mkdir()
    work.daemon_record.write_bytes(text.encode("utf-8", "surrogateescape"))
    lock = Lock(work.daemon_lock)
    assert lock.acquire()
    try:
        assert living_daemon(work) is None
    finally:
        lock.release()


@pytest.mark.parametrize("field", ["gateway", "engine"])
@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:80", "https://127.0.0.1:1", "http://127.0.0.1@h:1", "file:///x", "["]
)
def test_a_daemon_elsewhere_is_none(work: WorkDir, me: DaemonRecord, field: str, url: str) -> None:
    """Keys and questions go to what the record names, and anybody may have written it."""
    replace(me, **{field: url}).write(work.daemon_record)
    assert read_record(work.daemon_record) is None
