"""``llmstack download``."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from argparse import ArgumentTypeError
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from llmstack.cli import INTERRUPTED
from llmstack.cli.here import work_dir
from llmstack.errors import DaemonError, LlmstackError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from llmstack.config.workdir import WorkDir
    from llmstack.hub.download_record import DownloadRow
    from llmstack.hub.downloads import Downloads
    from llmstack.hub.hub_file import Wanted

EXAMPLES = """examples:
  llmstack download             fetch every model of models.ini, the queued ones too
  llmstack download plan        only what the tier plan needs
  llmstack download --detach    in the background
  llmstack download --status    how far that is; --json for a script

A download that was cut, stopped or killed goes on where it was. Private and gated models need a
token: HF_TOKEN, or 'hf auth login'. Files go where llama-server looks: HF_HOME."""

#: Files that are fetched at a time.
AT_ONCE = 2

#: Seconds between two looks at what has come.
LOOK = 0.2

#: Seconds between two writings of the record.
NOTE = 1.0

#: More files at a time help nobody, and a hub takes them for an attack.
MOST = 64

#: Seconds that a download may take to stop; what waits for a silent hub takes longer.
STOPPING = 5.0


class _Stalled(KeyboardInterrupt):
    """Interrupted, and a connection that says nothing has not ended."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("tier", nargs="*", help="only these tiers")
    parser.add_argument(
        "-j", "--jobs", type=_jobs, default=AT_ONCE, help=f"files at a time (default {AT_ONCE})"
    )
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument("--status", action="store_true", help="show how far a download is")
    parser.add_argument("--json", action="store_true", help="print one JSON array at the end")


def run(arguments: Namespace) -> int:
    """Fetch, or say how far it is."""
    work = work_dir()
    if arguments.status:
        return _status(work, as_json=arguments.json)
    wanted = wanted_here(work, arguments.tier)
    if not wanted:
        print("[=] no tier needs a file from the hub")
        return 0
    if arguments.detach:
        return detach(work, arguments.tier, at_once=arguments.jobs)
    return fetch_all(work, wanted, at_once=arguments.jobs, as_json=arguments.json)


def _jobs(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and 1 <= int(text[:9]) <= MOST):
        raise ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")
    return int(text)


def wanted_here(work: WorkDir, tiers: Sequence[str] = ()) -> tuple[Wanted, ...]:
    """The files that the project's tiers need, or only those of ``tiers``.

    Raises:
        DaemonError: this is a thin client, or there is no models.ini.
        LlmstackError: a tier is not in it.
    """
    from llmstack.config import load_stack
    from llmstack.config.marker import read_marker
    from llmstack.config.own_ini import own_models_ini
    from llmstack.config.problems import nearest
    from llmstack.server.wanted import wanted_files

    marker = read_marker(work.default_channel)
    if marker and marker.channel == "external":
        raise DaemonError(
            f"this project is a thin client of {marker.url}", fix="Models are fetched there."
        )
    stack = load_stack(own_models_ini(work, os.environ)).stack
    names = {tier.name for tier in stack.tiers}
    for name in tiers:
        if name not in names:
            raise LlmstackError(f"there is no tier {name!r}", fix=nearest(name, names))
    chosen = {f"{name}{suffix}" for name in tiers for suffix in ("", " next")}
    return tuple(
        one for one in wanted_files(stack) if not chosen or chosen.intersection(one.labels)
    )


def fetch_all(
    work: WorkDir, wanted: Sequence[Wanted], *, at_once: int, as_json: bool = False
) -> int:
    """Fetch with progress; the exit status."""
    from llmstack.hub.downloads import downloads_of
    from llmstack.hub.file_lock import Lock

    lock = Lock(work.state / "download.lock")
    if not lock.acquire():
        raise LlmstackError(
            "a download of this project runs already", fix="Watch it: llmstack download --status"
        )
    try:
        return _watch(work, downloads_of(wanted), at_once, as_json=as_json)
    except _Stalled:  # Python would wait for those threads as it ends, for minutes
        print("interrupted", file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)
    finally:
        lock.release()


def _watch(work: WorkDir, downloads: Downloads, at_once: int, *, as_json: bool) -> int:
    from llmstack.cli.download_view import shown_rows
    from llmstack.config.workdir import write_atomically
    from llmstack.hub.download_record import rows_of, to_json

    failure: list[LlmstackError | OSError] = []
    complete: list[bool] = []
    # Not the thread's join: one that Ctrl-C interrupts takes the thread for ended (Python 3.11).
    ended = threading.Event()

    def work_through() -> None:
        try:
            complete.append(downloads.run(at_once))
        except (LlmstackError, OSError) as error:
            failure.append(error)
        finally:
            ended.set()

    worker = threading.Thread(target=work_through, daemon=True)
    noted = 0.0
    with shown_rows(enabled=not as_json) as show:
        worker.start()
        try:
            while not ended.is_set():
                ended.wait(LOOK)
                rows = rows_of(downloads.items, downloads.clock())
                show(rows)
                if time.monotonic() - noted > NOTE or ended.is_set():
                    noted = time.monotonic()
                    write_atomically(work.download_record, to_json(rows))
        except KeyboardInterrupt:
            downloads.stop()
            ended.wait(STOPPING)
            write_atomically(
                work.download_record, to_json(rows_of(downloads.items, downloads.clock()))
            )
            print(
                "\n[!] stopped; what has come is kept, 'llmstack download' goes on", file=sys.stderr
            )
            raise (KeyboardInterrupt if ended.is_set() else _Stalled) from None
    if failure:
        raise failure[0]
    rows = rows_of(downloads.items, downloads.clock())
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    for row in rows:
        if row.problem:
            print(printable_text(f"[!] {row.file}: {row.problem}"), file=sys.stderr)
    if complete == [True]:
        if not as_json:
            print(f"[OK] {len(rows)} {'file is' if len(rows) == 1 else 'files are'} here")
        return 0
    print("[!] not everything could be fetched", file=sys.stderr)
    return 1


def detach(work: WorkDir, tiers: Sequence[str] = (), *, at_once: int) -> int:
    """Fetch without us, the output in a log; the exit status."""
    import subprocess

    from llmstack.config.plain_file import open_log

    log = work.logs / "download.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-P", "-m", "llmstack", "download", "-j", str(at_once)]
    with open_log(log, fresh=True) as stream:
        child = subprocess.Popen(
            [*argv, *tiers],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=work.root,
            env={**os.environ, "LLMSTACK_WORK_DIR": str(work.root)},
            start_new_session=os.name == "posix",
        )
    print(f"[OK] fetching in the background (pid {child.pid}); log {log}")
    print("     How far: llmstack download --status")
    return 0


def _status(work: WorkDir, *, as_json: bool) -> int:
    """Exit status 0 when all is here, 1 when not (yet)."""
    from llmstack.cli.download_view import line_of
    from llmstack.hub.download_record import read_record
    from llmstack.hub.file_lock import held

    rows: list[DownloadRow] = read_record(work.download_record)
    running = held(work.state / "download.lock")
    complete = bool(rows) and all(row.state in ("done", "here") for row in rows)
    if as_json:
        state = {"running": running, "complete": complete, "files": [asdict(row) for row in rows]}
        print(json.dumps(state, indent=1))
    elif not rows:
        print("[=] nothing has been downloaded here: llmstack download")
    else:
        for row in rows:
            print(line_of(row if running else replace(row, speed=0.0)))
        print(
            "[*] running"
            if running
            else "[OK] complete"
            if complete
            else "[!] not running, and not complete: llmstack download"
        )
    return 0 if complete else 1
