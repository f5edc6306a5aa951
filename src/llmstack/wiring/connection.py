"""Carrying out a wiring: shown as a diff first, kept on record, taken back on demand."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from difflib import unified_diff
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack.config.plain_file import read_plain
from llmstack.config.workdir import write_atomically
from llmstack.errors import LlmstackError
from llmstack.hub.file_lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.wiring.endpoint import Endpoint, FileEdit, Place, Wiring


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file as ``connect`` left it. ``backup`` holds what was there before, empty for nothing."""

    path: str
    sha256: str
    backup: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One agent that was wired: its files, and the windows that it was told, in tokens."""

    agent: str
    files: tuple[WrittenFile, ...]
    windows: dict[str, int]
    everywhere: bool = False


def connections_record(data_dir: Path, project: Path) -> Path:
    """Where it is remembered what was connected for ``project``."""
    name = hashlib.sha256(os.fsencode(project.resolve())).hexdigest()[:32]
    return data_dir / "connections" / f"{name}.json"


def differences(wiring: Wiring, place: Place) -> str:
    """What carrying out ``wiring`` would change, as a unified diff; empty for nothing."""
    parts: list[str] = []
    for edit in wiring.edits:
        old = place.read(edit.path) or ""
        lines = old.splitlines(keepends=True), edit.text.splitlines(keepends=True)
        parts += unified_diff(*lines, str(edit.path), str(edit.path))
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def carry_out(agent: str, wiring: Wiring, endpoint: Endpoint, place: Place) -> Connection:
    """Write the files, each with a copy of what was there before.

    Raises:
        OSError: a file cannot be written; those before it are written.
    """
    with locked(_lock(place)):
        earlier = {file.path: file.backup for one in recorded(place, agent) for file in one.files}
        copied = tuple(_copy(edit, place, earlier) for edit in wiring.edits)
        windows = {model.name: model.window for model in endpoint.models}
        connection = Connection(agent, copied, windows, place.everywhere)
        others = [one for one in read_connections(place.record) if one.agent != agent]
        # Before anything is changed, so that whoever is killed here knows where the copies are.
        _save(place.record, [*others, connection])
        for edit in wiring.edits:
            _write(edit, place)
    return connection


def undo(agent: str, place: Place) -> list[str]:
    """Put back what was there before ``agent`` was wired; what was done, in sentences.

    Raises:
        LlmstackError: it was not wired here, or a file was edited since.
    """
    found = list(recorded(place, agent))
    if not found:
        raise LlmstackError(f"{agent} was not connected here", fix="There is nothing to take back.")
    files = [file for one in found for file in one.files]
    if edited := [file for file in files if _is_edited(file)]:
        listed = "\n".join(f"{file.path} (before: {file.backup or 'nothing'})" for file in edited)
        raise LlmstackError(
            "edited since it was connected, so nothing is taken back",
            why=listed,
            fix="Take our lines out of it yourself, or put the copy back.",
        )
    with locked(_lock(place)):
        done = [_restore(file) for file in files]
        others = [one for one in read_connections(place.record) if one.agent != agent]
        _save(place.record, others)
    return done


def recorded(place: Place, agent: str) -> Iterator[Connection]:
    """What is on record of ``agent`` in this project."""
    return (one for one in read_connections(place.record) if one.agent == agent)


def read_connections(record: Path) -> list[Connection]:
    """Everything that ``connect`` did; nothing where the record is broken.

    The record is the user's, not the project's: what it names is deleted or put back by ``undo``.
    """
    try:
        rows: list[Mapping[str, Any]] = json.loads(record.read_text(encoding="utf-8"))
        return [
            Connection(
                agent=str(row["agent"]),
                files=tuple(WrittenFile(**file) for file in row["files"]),
                windows={str(name): int(window) for name, window in row["windows"].items()},
                everywhere=bool(row["everywhere"]),
            )
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _save(record: Path, connections: list[Connection]) -> None:
    rows = [asdict(one) for one in connections]
    write_atomically(record, json.dumps(rows, indent=1) + "\n", mode=0o600)


def _lock(place: Place) -> Path:
    return place.record.with_name(f"{place.record.name}.lock")


def _target(edit: FileEdit) -> Path:
    """The file to write: a user's own settings may be a link into a collection, and stay one."""
    return edit.path.resolve() if edit.path.is_symlink() else edit.path


def _copy(edit: FileEdit, place: Place, earlier: Mapping[str, str]) -> WrittenFile:
    """Keep what is there; where it is already kept, what is there now is ours."""
    path = _target(edit)
    old, backup = place.read(path), earlier.get(str(path))
    if backup is None:
        backup = ""
        if old is not None:
            copy = _free(path.with_name(f"{path.name}.before-llmstack"))
            write_atomically(copy, old, mode=path.stat().st_mode & 0o777)
            backup = str(copy)
    return WrittenFile(str(path), _digest(edit.text), backup)


def _free(path: Path) -> Path:
    """``path``, or a name like it: a copy that is there may be another project's only one."""
    others = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(name for name in chain([path], others) if not name.exists())


def _write(edit: FileEdit, place: Place) -> None:
    path, mode = _target(edit), 0o600 if edit.secret else 0o644
    if place.read(path) is not None:
        mode = path.stat().st_mode & 0o777
    write_atomically(path, edit.text, mode=mode)


def _restore(file: WrittenFile) -> str:
    path = Path(file.path)
    if not path.exists():
        return f"{path} is gone already"
    if not file.backup:
        path.unlink()
        return f"removed {path}"
    Path(file.backup).replace(path)
    return f"restored {path}"


def _is_edited(file: WrittenFile) -> bool:
    try:
        return hashlib.sha256(read_plain(Path(file.path))).hexdigest() != file.sha256
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
