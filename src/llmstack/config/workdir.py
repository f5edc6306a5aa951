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
    def opencode_json(self) -> Path:
        """The generated configuration of opencode; a directory that has it is a project."""
        return self.state / "opencode.json"

    @property
    def agents_md(self) -> Path:
        """What coding agents should know of the project; the user's own after ``init``."""
        return self.state / "AGENTS.md"

    @property
    def default_channel(self) -> Path:
        """The channel marker that was written with the configuration."""
        return self.state / "default-channel"

    @property
    def active_channel(self) -> Path:
        """The channel marker of the daemon that was started last."""
        return self.state / "active-channel"

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
    def calibrations(self) -> Path:
        """What models' tokenizers make of text, as their answers told."""
        return self.state / "calibrations.json"

    @property
    def speeds(self) -> Path:
        """How fast models load and read here, as far as it was measured."""
        return self.state / "speeds.json"

    @property
    def overrides(self) -> Path:
        """What was set for models at run time."""
        return self.state / "overrides.json"

    @property
    def keys(self) -> Path:
        """The digests of the keys that clients may show."""
        return self.state / "keys.json"

    @property
    def plain_keys(self) -> Path:
        """Keys that the user wrote down, in the clear."""
        return self.state / "config.json"

    @property
    def local_key(self) -> Path:
        """The key that this machine's own programs show."""
        return self.state / "local-key"

    @property
    def download_record(self) -> Path:
        """How far the last download came."""
        return self.state / "download.json"

    @property
    def daemon_record(self) -> Path:
        """Who the running daemon is."""
        return self.state / "daemon.json"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon for as long as it lives."""
        return self.state / "daemon.lock"


def find_work_dir(environ: Mapping[str, str], cwd: Path) -> WorkDir:
    """``$LLMSTACK_WORK_DIR``, else the nearest project upwards, else ``cwd``.

    A project has a models.ini, or as a thin client only an opencode.json. A shell that was wired
    to a project by its hook (``LLMSTACK_ACTIVE``) has that variable without anybody's asking, so
    there a project nested in the named one is nearer than the named one.

    ``$LLMSTACK_MODELS_INI`` is not looked at here; it names a file, not a place for state.
    """
    nearest = next((work for work in map(WorkDir, (cwd, *cwd.parents)) if _is_project(work)), None)
    if named := environ.get("LLMSTACK_WORK_DIR"):
        chosen = WorkDir(Path(named).expanduser().resolve())
        nested = nearest is not None and chosen.root in nearest.root.resolve().parents
        if not (nested and environ.get("LLMSTACK_ACTIVE") == "1"):
            return chosen
    return nearest or WorkDir(cwd)


def _is_project(work: WorkDir) -> bool:
    return work.models_ini.is_file() or work.opencode_json.is_file()


# It can only be found out by setting it.
_UMASK = os.umask(0o077)
os.umask(_UMASK)


def write_atomically(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace ``path`` by ``content`` so that a reader sees the old or the new, never a half.

    Without a ``mode``, everybody may read it whom the user's umask lets.

    Raises:
        OSError: the directory is not writable or the disk is full; ``path`` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.chmod(0o644 & ~_UMASK if mode is None else mode)
        fresh.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk names no file
            error.filename = str(path)
        fresh.unlink(missing_ok=True)
        raise
