"""Where a stack keeps its files: ``.llmstack`` in the work directory."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_DIR = ".llmstack"


@dataclass(frozen=True, slots=True)
class WorkDir:
    """The files of the stack rooted at ``root``."""

    root: Path

    @property
    def state(self) -> Path:
        """The ``.llmstack`` directory itself."""
        return self.root / STATE_DIR

    @property
    def models_ini(self) -> Path:
        """The file that the user edits."""
        return self.state / "models.ini"

    @property
    def swap_yaml(self) -> Path:
        """The generated engine configuration."""
        return self.state / "llama-swap.yaml"

    @property
    def logs(self) -> Path:
        """The directory of all log files."""
        return self.state / "logs"

    @property
    def activity(self) -> Path:
        """The log of requests, without their texts."""
        return self.state / "activity.db"

    @property
    def daemon_record(self) -> Path:
        """Who the running daemon is."""
        return self.state / "daemon.json"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon for as long as it lives."""
        return self.state / "daemon.lock"


def find_work_dir(environ: Mapping[str, str], cwd: Path) -> WorkDir:
    """``$LLMSTACK_WORK_DIR``, else the nearest directory upwards with a models.ini, else ``cwd``.

    ``$LLMSTACK_MODELS_INI`` is not looked at here; it names a file, not a place for state.
    """
    if named := environ.get("LLMSTACK_WORK_DIR"):
        return WorkDir(Path(named).expanduser().resolve())
    for candidate in (cwd, *cwd.parents):
        work = WorkDir(candidate)
        if work.models_ini.is_file():
            return work
    return WorkDir(cwd)


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace ``path`` by ``text`` so that a reader sees the old or the new, never a half.

    Raises:
        OSError: the directory is not writable or the disk is full; ``path`` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.chmod(mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
