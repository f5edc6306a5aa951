"""What past loads took, kept in a file between runs."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llmstack.hub.file_lock import locked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

VERSION = 1
#: Entries that are kept; the ones measured longest ago go first.
MOST = 512


@dataclass(frozen=True, slots=True)
class Learned:
    """One load: bytes, seconds that it took (0 for not known), and when, in unix seconds."""

    model: str
    size: int
    load_seconds: float
    measured: float


class LearnedFile:
    """The entries by key. Several engines may share the file: each writes only what is its own.

    A file that cannot be used is a warning and counts as empty; the next write replaces it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Learned]:
        """Every entry."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read, so nothing measured is known: %s", self._path, error)
            return {}
        try:
            return _entries(json.loads(text))
        except (ValueError, RecursionError):
            log.warning("%s is damaged, so memory is measured afresh", self._path)
            return {}

    def add(self, entries: Mapping[str, Learned]) -> None:
        """Put ``entries`` to those in the file, at once or not at all.

        Raises OSError if that is not possible.
        """
        with locked(self._path.with_suffix(".lock")):
            found = self.read() | dict(entries)
            newest = sorted(found.items(), key=lambda item: item[1].measured)[-MOST:]
            value = {"version": VERSION, "footprints": {key: asdict(one) for key, one in newest}}
            draft = self._path.with_suffix(f".{os.getpid()}.tmp")
            try:
                draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
                draft.replace(self._path)
            finally:
                draft.unlink(missing_ok=True)


def _entries(value: Any) -> dict[str, Learned]:
    """The sound entries of the file's value. Raises ValueError if it is another kind of file."""
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise ValueError
    footprints = value.get("footprints")
    if not isinstance(footprints, dict):
        raise ValueError  # noqa: TRY004  of the file, not of an argument
    found = {key: _entry(one) for key, one in footprints.items()}
    return {key: entry for key, entry in found.items() if entry is not None}


def _entry(value: Any) -> Learned | None:
    match value:
        case {
            "model": str(model),
            "size": int(size),
            "load_seconds": int() | float() as seconds,
            "measured": int() | float() as measured,
        } if 0 <= size < 1 << 50 and 0 <= seconds < 1e6 and 0 <= measured < 1e12:
            return Learned(model, size, float(seconds), float(measured))
    return None
