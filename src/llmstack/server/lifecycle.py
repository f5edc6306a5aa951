"""Starting and stopping the daemon from another process, truthfully."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from llmstack.client.http import get_json
from llmstack.config.local_key import read_local_key
from llmstack.config.plain_file import open_log
from llmstack.engine.identity import Identity
from llmstack.errors import DaemonError
from llmstack.hub.file_lock import held
from llmstack.server.record import DaemonRecord, living_daemon, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from llmstack.config.workdir import WorkDir

POSIX = os.name == "posix"

#: Seconds between looks at a daemon that starts or stops.
LOOK = 0.05

#: Seconds a stopping daemon has before it is told again, and before it is killed.
PATIENCE, LAST_PATIENCE = 40.0, 15.0

#: Lines of the daemon's own output that a failed start shows.
QUOTED = 12


def start_daemon(
    work: WorkDir,
    arguments: list[str],
    say: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
) -> tuple[DaemonRecord, bool]:
    """Start a daemon in ``work`` and return once a request would succeed.

    Returns its record and whether it was started now (False: it ran already, or another start was
    faster; then it is that one which is ready). ``arguments`` go to ``llmstack serve``, which sees
    ``environ`` or what this process sees. ``say`` is told what is being waited for.

    Raises:
        DaemonError: it did not become ready; nothing of it is left then.
    """
    output = work.logs / "daemon.log"
    output.parent.mkdir(parents=True, exist_ok=True)
    since = output.stat().st_size if output.exists() else 0
    child = _spawn(work, arguments, output, os.environ if environ is None else environ)
    try:
        return _until_ready(work, child, output, since, say)
    except BaseException:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=LAST_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
        raise


def stop_daemon(work: WorkDir, say: Callable[[str], None], *, now: bool = False) -> bool:
    """Stop the daemon of ``work`` and wait until it is gone; False when none ran.

    Running answers may end first, unless ``now``.

    Raises:
        DaemonError: it belongs to another user, or did not end.
    """
    record = living_daemon(work)
    if record is None:
        return False
    identity = Identity(record.pid, record.started)
    _signal(identity, signal.SIGTERM)
    if now:
        # Another signal than the first: two equal ones that arrive together count as one.
        _signal(identity, signal.SIGINT if POSIX else signal.SIGTERM)
    if not _gone(identity, PATIENCE, lambda: say("waiting for running answers to end")):
        _signal(identity, signal.SIGTERM)
        if not _gone(identity, LAST_PATIENCE, lambda: say("telling it again")):
            _signal(identity, signal.SIGKILL if POSIX else signal.SIGTERM)
            if not _gone(identity, LAST_PATIENCE, lambda: say("killing it")):
                raise DaemonError(f"the daemon (pid {record.pid}) does not end")
    if read_record(work.daemon_record) == record:  # else a new daemon has written its own
        work.daemon_record.unlink(missing_ok=True)
    return True


def _spawn(
    work: WorkDir, arguments: list[str], output: Path, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    # -P: never import from the current directory, which may be anybody's project.
    argv = [sys.executable, "-P", "-m", "llmstack", "serve", *arguments]
    with open_log(output) as stream:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=work.root,
            env={**environ, "LLMSTACK_WORK_DIR": str(work.root)},
            start_new_session=POSIX,
        )


def _until_ready(
    work: WorkDir,
    child: subprocess.Popen[bytes],
    output: Path,
    since: int,
    say: Callable[[str], None],
) -> tuple[DaemonRecord, bool]:
    begun = spoke = time.monotonic()
    question: _Question | None = None
    while True:
        if child.poll() is not None:
            return _another_ones(work, output, since, say), False
        record = living_daemon(work)
        if record and record.pid == child.pid:
            question = question or _Question(work)
            status = question.ask(record)
            if status and not status["loading"]:
                if status["ready"]:
                    return record, True
                raise DaemonError(
                    "the stack started, but a model cannot be loaded",
                    why="\n".join(status["problems"]),
                )
            if time.monotonic() - spoke > 2:
                spoke = time.monotonic()
                say(f"{_loading(status)} ({spoke - begun:.0f} s)")
        time.sleep(LOOK)


def _another_ones(
    work: WorkDir, output: Path, since: int, say: Callable[[str], None]
) -> DaemonRecord:
    """The daemon that another start was faster with, once it is ready."""
    record = _recorded(work)
    if record is None:
        raise DaemonError("the daemon did not start", why=_tail(output, since))
    say(f"a daemon runs here already (pid {record.pid})")
    question = _Question(work)
    while True:
        status = question.ask(record)
        if status and not status["loading"]:
            if status["ready"]:
                return record
            raise DaemonError("the running daemon has problems", why="\n".join(status["problems"]))
        if living_daemon(work) is None:
            raise DaemonError(
                "the daemon that was starting here has ended", why=_tail(output, since)
            )
        time.sleep(LOOK)


def _recorded(work: WorkDir) -> DaemonRecord | None:
    """The daemon of ``work``; one that has the lock is waited for until it has its record too."""
    deadline = time.monotonic() + PATIENCE
    while (record := living_daemon(work)) is None and held(work.daemon_lock):
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK)
    return record


class _Question:
    """Asks a daemon how it is, and loses patience with one that never tells."""

    def __init__(self, work: WorkDir) -> None:
        self._key = read_local_key(work)  # made by whoever has started, so there is one by now
        self._answered: float | None = None

    def ask(self, record: DaemonRecord) -> dict[str, Any] | None:
        """The answer of ``/api/status``, None for not now.

        Raises:
            DaemonError: it has given none for long.
        """
        if self._answered is None:  # now, for the daemon has taken its time to get here
            self._answered = time.monotonic()
        try:
            status: dict[str, Any] = get_json(record.gateway, "/api/status", key=self._key)
        except DaemonError as error:
            if time.monotonic() - self._answered > PATIENCE:
                raise DaemonError(
                    f"the daemon (pid {record.pid}) runs, but does not tell how it is",
                    why=str(error),
                    fix="What it says of itself: llmstack logs",
                ) from error
            return None
        self._answered = time.monotonic()
        return status


def _loading(status: dict[str, Any] | None) -> str:
    starting = [m["id"] for m in (status or {}).get("models", []) if m["state"] == "starting"]
    return f"loading {', '.join(starting)}" if starting else "starting"


def _tail(output: Path, since: int) -> str:
    with output.open("rb") as stream:
        stream.seek(since)
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-QUOTED:]) or f"It printed nothing; see {output.parent}."


def _signal(identity: Identity, number: signal.Signals) -> None:
    if not identity.alive():
        return
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise DaemonError(f"pid {identity.pid} belongs to another user") from error


def _gone(identity: Identity, patience: float, remind: Callable[[], None]) -> bool:
    deadline = time.monotonic() + patience
    reminder = time.monotonic() + 2
    while time.monotonic() < deadline:
        if not identity.alive():
            return True
        if time.monotonic() > reminder:
            remind()
            reminder = deadline
        time.sleep(LOOK)
    return False
