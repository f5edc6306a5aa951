"""What a hook is told when it asks about a project: wire, say why not, or nothing."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from llmstack.wiring.shell_code import call, wire
from llmstack.wiring.shell_prompt import display
from llmstack.wiring.trust import UntrustworthyError, changes, fingerprint, state, trust_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.wiring.shell_code import Wiring
    from llmstack.wiring.shell_quote import Shell
    from llmstack.wiring.trust import State

#: Changed file names that a notice lists.
LISTED = 3


def notice(trust: State, changed: list[str], name: str, fault: str = "") -> str:
    """The one line for a project that is not wired; empty when nothing is to be said.

    ``name`` and ``changed`` may be hostile; of them only what is safe on a terminal is shown.
    """
    if trust in ("allowed", "denied"):
        return ""
    if fault:
        why = display(fault.rsplit("/", 1)[-1], 200)  # of a path, the last part is enough
        return f"[llmstack] {display(name)} is not wired: {why}"
    if trust == "changed":
        named = ", ".join(display(file) for file in changed[:LISTED])
        more = f" and {len(changed) - LISTED} more" if len(changed) > LISTED else ""
        return (
            f"[llmstack] {display(name)}: {named}{more} changed since you allowed it. "
            "Look at it, then run: llmstack allow"
        )
    return (
        f"[llmstack] {display(name)} has a .llmstack that you have not allowed. "
        "If you trust it, run: llmstack allow"
    )


def look(shell: Shell, wiring: Wiring, environ: Mapping[str, str], stamp: Path | None) -> str:
    """The code for the hook of ``shell``, which stands in the project of ``wiring``.

    ``stamp`` becomes as old as the newest of what was looked at, so that the shell can see by
    itself when to ask again.
    """
    root = wiring.work.root
    allowed_dir = trust_dir(environ)
    newest = _newest(wiring.work.state, wiring.work.opencode_json, allowed_dir)
    trust = state(root, environ)
    lines = []
    if stamp is not None and _stamp(stamp, newest):
        lines.append(call(shell, "seen", os.fspath(stamp), os.fspath(allowed_dir)))
    elif shell == "powershell":
        lines.append(call(shell, "seen", "", os.fspath(allowed_dir)))
    if trust == "allowed":
        # Said anew when it changes again.
        lines += [call(shell, "note", ""), wire(shell, wiring)]
    elif text := notice(trust, changes(root, environ), wiring.name, _fault(root)):
        lines.append(call(shell, "note", wiring.plain(text)))
    return "\n".join(lines) + "\n"


def stamp_path(environ: Mapping[str, str], pid: int) -> Path:
    """The stamp of the shell with that pid; those of shells that have ended are removed."""
    folder = trust_dir(environ).with_name("shells")
    with suppress(OSError):
        for stamp in folder.iterdir():
            if stamp.name.isdecimal() and not _alive(int(stamp.name)):
                stamp.unlink()
    return folder / str(pid)


def _fault(root: Path) -> str:
    try:
        fingerprint(root)
    except UntrustworthyError as error:
        return error.what
    return ""


def _newest(*paths: Path) -> int:
    """The latest change of those that are there, in nanoseconds, but not later than now."""
    times = [0]
    for path in paths:
        with suppress(OSError):
            times.append(path.stat().st_mtime_ns)
    return min(max(times), time.time_ns())


def _stamp(path: Path, at: int) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        os.utime(path, ns=(at, at))
    except OSError:
        return False
    return True


def _alive(pid: int) -> bool:
    if os.name != "posix":  # there, a signal to find out would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
