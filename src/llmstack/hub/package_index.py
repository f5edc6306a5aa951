"""Wheels fetched from the package index that the user's pip is configured for."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.2
OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--quiet",
)


def pip_command(which: Callable[[str], str | None] = shutil.which) -> tuple[str, ...] | None:
    """Return this interpreter's pip, else one on PATH.

    Any pip can fetch a wheel that has no compiled code. ``None`` when there is neither, as in an
    environment made by uv.
    """
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    found = which("pip3") or which("pip")
    return (found,) if found else None


def download_wheel(
    requirement: str, directory: Path, *, report: Callable[[int], None], remedy: str
) -> None:
    """Put the wheel of ``requirement`` (``name==version``) into ``directory``.

    The wheel appears there when it is complete. No two processes may fetch the same one into the
    same directory at once. ``report`` gets the bytes that have arrived.
    ``remedy`` says, in the imperative, what a user without network can do.

    :raises DownloadError: pip is missing or fails; ``why`` has pip's own last lines.
    """
    pip = pip_command()
    if pip is None:
        raise DownloadError(
            f"{requirement} cannot be fetched",
            why="pip is neither in this Python environment nor on PATH",
            fix=f"install pip ({sys.executable} -m ensurepip, or uv pip install pip), or {remedy}",
        )
    # pip keeps what is still arriving in its temporary directory.
    scratch = directory / f".{requirement}"
    shutil.rmtree(scratch, ignore_errors=True)  # a killed run left it
    scratch.mkdir()
    try:
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
        finished = scratch / "finished"
        command = [*pip, "download", *OPTIONS, "--dest", str(finished), requirement]
        code, errors = _run(command, os.environ | places, lambda: report(_size(scratch)))
        if code != 0:
            lines = [line for line in errors.splitlines() if line.strip()]
            raise DownloadError(
                f"{requirement} cannot be fetched",
                why="\n".join(lines[-3:]) or f"pip ended with status {code}",
                fix=f"check the network and pip's settings (pip config list), or {remedy}",
            )
        for wheel in finished.glob("*.whl"):
            report(wheel.stat().st_size)
            wheel.replace(directory / wheel.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(command: list[str], environ: dict[str, str], tick: Callable[[], None]) -> tuple[int, str]:
    """Run ``command``, calling ``tick`` now and then; return its exit status and its stderr."""
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _, errors = process.communicate(timeout=POLL_SECONDS)
                    return process.returncode, errors
                tick()
        except BaseException:
            process.kill()
            raise


def _size(directory: Path) -> int:
    """Bytes of the files below ``directory``; files may vanish meanwhile."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(folder, name).stat().st_size
    return total
