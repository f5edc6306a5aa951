"""Which projects the user has allowed to wire a shell, and with which content.

One record per project in the user's data directory, named after the hash of the project's real
path. It holds the hash of each file that wiring makes effective. A project is allowed only while
all of these are as they were; what this program itself rewrites while it runs (``active-channel``,
``llama-swap.yaml``, logs) is not among them, and is not believed for anything that matters.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmstack.config.workdir import STATE_DIR, write_atomically
from llmstack.errors import LlmstackError
from llmstack.hub.data_dir import data_dir
from llmstack.wiring.shell_prompt import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["allowed", "changed", "unknown", "denied"]

#: Files of ``.llmstack`` that wiring makes effective; of ``agents/`` every ``*.md`` is one.
EFFECTIVE = ("opencode.json", "models.ini", "default-channel", "AGENTS.md", "instructions.md")
PROMPTS = "agents"

#: The one that says whose stack is asked.
CHANNEL = "default-channel"

#: Limits that no honest project meets: bytes of one file, number of prompt files.
LARGEST, MOST = 4 * 1024 * 1024, 200

POSIX = os.name == "posix"


class UntrustworthyError(LlmstackError):
    """A project that others can change, or that is no plain set of files."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the user decided about the project ``root``; ``files`` are hashes by name."""

    root: str
    allowed: bool
    files: Mapping[str, str]


def trust_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where the records are; it need not exist.

    Never relative to the current directory, for then a project could bring its own along.
    """
    told = dict(os.environ if environ is None else environ)
    if not Path(told.get("LLMSTACK_DATA_DIR", "")).expanduser().is_absolute():
        told.pop("LLMSTACK_DATA_DIR", None)
    return data_dir(told) / "trust"


def allow(root: Path, environ: Mapping[str, str] | None = None) -> None:
    """Let the project ``root`` wire shells with its present content.

    Raises:
        UntrustworthyError: others could change the project behind the user's back.
        OSError: the record cannot be written.
    """
    _save(root, environ, allowed=True, files=fingerprint(root))


def allow_channel(root: Path, environ: Mapping[str, str] | None = None) -> None:
    """Believe the present ``default-channel`` of ``root``, which the user has just chosen.

    Nothing else of the project is allowed by that, and a project that was denied stays so.

    Raises:
        UntrustworthyError: see ``allow``.
        OSError: the record cannot be written.
    """
    record = _load(root, environ)
    if record is None or record.allowed:
        now = {name: digest for name, digest in fingerprint(root).items() if name == CHANNEL}
        files = {**(record.files if record else {}), **now}
        _save(root, environ, allowed=True, files=files)


def is_channel_allowed(root: Path, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the ``default-channel`` of ``root`` is the one that the user allowed or chose."""
    record = _load(root, environ)
    if record is None or not record.allowed or CHANNEL not in record.files:
        return False
    return not {CHANNEL, STATE_DIR}.intersection(changes(root, environ))


def deny(root: Path, environ: Mapping[str, str] | None = None) -> None:
    """Never wire a shell for the project ``root``, nor mention it. Raises ``OSError``."""
    _save(root, environ, allowed=False, files={})


def state(root: Path, environ: Mapping[str, str] | None = None) -> State:
    """What holds for the project ``root`` now."""
    record = _load(root, environ)
    if record is None:
        return "unknown"
    if not record.allowed:
        return "denied"
    return "changed" if changes(root, environ) else "allowed"


def changes(root: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """The names of the files that differ from what was allowed; all when nothing was."""
    record = _load(root, environ)
    before = record.files if record else {}
    try:
        now = fingerprint(root)
    except UntrustworthyError:
        return [STATE_DIR]
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def fingerprint(root: Path) -> dict[str, str]:
    """The SHA-256 of every effective file that is there, by its name below ``.llmstack``.

    Raises:
        UntrustworthyError: see ``allow``.
    """
    place = root.resolve()
    folder = place / STATE_DIR
    for directory in (place, folder):
        _check_directory(directory)
    names = list(EFFECTIVE)
    prompts = folder / PROMPTS
    if prompts.is_dir():
        _check_directory(prompts)
        entries = sorted(path.name for path in prompts.glob("*.md"))
        if len(entries) > MOST:
            raise UntrustworthyError(f"{printable(prompts)} has more than {MOST} files")
        names += [f"{PROMPTS}/{entry}" for entry in entries]
    hashes = {name: _hash(folder / name) for name in names}
    return {name: digest for name, digest in hashes.items() if digest is not None}


def _hash(path: Path) -> str | None:
    """The file's hash; a link counts as what it points at. None when there is no file."""
    try:
        # Not blocking: a pipe under such a name must not hold up the user's prompt.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UntrustworthyError(
            f"{printable(path)} cannot be read", why=printable(error)
        ) from error
    with os.fdopen(handle, "rb") as stream:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise UntrustworthyError(f"{printable(path)} is not a plain file")
        _check_owner(path, facts)
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UntrustworthyError(f"{printable(path)} is larger than {LARGEST} bytes")
    return hashlib.sha256(content).hexdigest()


def _check_directory(path: Path) -> None:
    try:
        facts = path.stat()
    except OSError as error:
        raise UntrustworthyError(
            f"{printable(path)} cannot be read", why=printable(error)
        ) from error
    if not stat.S_ISDIR(facts.st_mode):
        raise UntrustworthyError(f"{printable(path)} is no directory")
    _check_owner(path, facts)


def _check_owner(path: Path, facts: os.stat_result) -> None:
    if not POSIX:
        return
    if facts.st_uid not in (os.geteuid(), 0):
        raise UntrustworthyError(
            f"{printable(path)} belongs to another user",
            why="Its owner could change what your agents are told after you allowed it.",
            fix="Work on a copy of your own.",
        )
    # In a sticky directory such as /tmp, others can neither rename nor remove what is ours.
    sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    if facts.st_mode & stat.S_IWOTH and not sticky:
        raise UntrustworthyError(
            f"{printable(path)} can be written by every user",
            why="Anybody could change what your agents are told after you allowed it.",
            fix="chmod o-w it, then allow it again.",
        )


def _path(root: Path, environ: Mapping[str, str] | None) -> Path:
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
    return trust_dir(environ) / f"{name}.json"


def _save(
    root: Path, environ: Mapping[str, str] | None, *, allowed: bool, files: Mapping[str, str]
) -> None:
    record = {"root": os.fspath(root.resolve()), "allowed": allowed, "files": dict(files)}
    path = _path(root, environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, json.dumps(record, indent=1, sort_keys=True) + "\n", mode=0o600)


def _load(root: Path, environ: Mapping[str, str] | None) -> Record | None:
    """The record; None when there is none, or one that somebody else wrote or that is not one."""
    path = _path(root, environ)
    try:
        facts = path.stat()
        if POSIX and (facts.st_uid != os.geteuid() or facts.st_mode & 0o022):
            return None
        value = json.loads(path.read_text(encoding="utf-8"))
        record = Record(value["root"], value["allowed"], value["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    told = record.root == os.fspath(root.resolve()) and isinstance(record.files, dict)
    return record if told and isinstance(record.allowed, bool) else None
