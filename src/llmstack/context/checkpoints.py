"""Checkpoints by the digest of the conversation so far: no session ids, and forks simply miss.

A client sends its whole history each time. Where it begins as one that was compacted, the same
edits give the same bytes, so that the prompt only grows and the server's cache keeps hitting.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.context.checkpoint import Checkpoint
from llmstack.context.edits import CutText, Drop, Note, ReplaceResult
from llmstack.context.prefix import FRONT, chain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.edits import Edit

_VERSION: Final = 1
_EDITS: Final[dict[str, type[Drop | Note | CutText | ReplaceResult]]] = {
    "drop": Drop,
    "note": Note,
    "cut": CutText,
    "result": ReplaceResult,
}
_NAMES: Final = {kind: name for name, kind in _EDITS.items()}


def digests(path: str, body: bytes) -> tuple[str, ...]:
    """For each item the digest of all that the prompt begins with up to and with it."""
    return digests_of(chain(path, body))


def digests_of(links: Sequence[bytes]) -> tuple[str, ...]:
    """The same of a ``chain``."""
    return tuple(link.hex() for link in links[len(FRONT) :])


class Checkpoints:
    """The most recently used checkpoints, ``limit`` at most, of every ``scope``: a model's name."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str], Checkpoint] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, scope: str, conversation: Sequence[str]) -> Checkpoint | None:
        """The checkpoint that covers most of the conversation with these ``digests``."""
        for length in range(len(conversation), 0, -1):
            found = self._kept.get((scope, conversation[length - 1]))
            if found is not None and found.length == length:
                self._kept.move_to_end((scope, found.digest))
                return found
        return None

    def add(self, scope: str, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint``; what was not used for the longest time makes room."""
        place = scope, checkpoint.digest
        self._kept[place] = checkpoint
        self._kept.move_to_end(place)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def dumps(self, largest: int | None = None) -> bytes:
        """All checkpoints as JSON, for ``loads``; only the latest if that is more than ``largest``.

        ``largest`` is in bytes. They hold summaries: keep them private.
        """
        rows: list[bytes] = []
        size = 64
        for (scope, _), kept in reversed(self._kept.items()):
            row = _row(scope, kept)
            size += len(row) + 1
            if largest is not None and size > largest:
                break
            rows.append(row)
        told = b",".join(reversed(rows))
        return b'{"version":%d,"checkpoints":[%b]}' % (_VERSION, told)

    @classmethod
    def loads(cls, data: bytes, limit: int = 256) -> Checkpoints:
        """What ``dumps`` gave. Rows that cannot be read are left out: they cost one compaction."""
        store = cls(limit)
        try:
            file = msgspec.json.decode(data, type=_File)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return store
        for row in file.checkpoints if file.version == _VERSION else ():
            try:
                read = msgspec.convert(row, _Row)
                edits = tuple(_read(edit) for edit in read.edits)
            except (msgspec.ValidationError, KeyError, TypeError):
                continue
            kept = Checkpoint(read.length, read.digest, edits, read.summary, read.window)
            store.add(read.scope, kept)
        return store


class _Row(msgspec.Struct):
    scope: str
    length: int
    digest: str
    summary: str
    edits: list[dict[str, Any]]
    window: int = 0


class _File(msgspec.Struct):
    version: int
    checkpoints: list[Any]


def _row(scope: str, kept: Checkpoint) -> bytes:
    return msgspec.json.encode(
        {
            "scope": scope,
            "length": kept.length,
            "digest": kept.digest,
            "summary": kept.summary,
            "window": kept.window,
            "edits": [_written(edit) for edit in kept.edits if type(edit) in _NAMES],
        }
    )


def _written(edit: Edit) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(edit)
    return {"edit": _NAMES[type(edit)], **members}  # type: ignore[index]  # filtered by the caller


def _read(row: dict[str, Any]) -> Edit:
    kind = _EDITS[row["edit"]]
    return msgspec.convert({name: row[name] for name in row if name != "edit"}, kind)
