"""What a GGUF file says of itself: its metadata and where its tensors are, without their data.

The format is that of ggml's ``docs/gguf.md``, versions 2 and 3, in both byte orders. A file comes
from anywhere, so every count and length in it is believed only as far as the file goes and up to
the limits here; what breaks them is a ``GgufError``, never a hang or a heap of memory.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)

#: Bytes of a header, entries, tensors, items of one array, bytes of a key and of a text.
MAX_HEADER = 64 << 20
MAX_ENTRIES = 1 << 12
MAX_TENSORS = 1 << 17
MAX_ITEMS = 1 << 22
MAX_KEY = 1 << 16
MAX_TEXT = 16 << 20
#: Arrays of numbers up to this length are kept; of others only the length is.
KEPT_ITEMS = 1 << 10

_DIMENSIONS = 8
_ALIGNMENT = 32
_TEXT, _ARRAY = 8, 9
#: Formats of the plain types by their number; see ``struct``.
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"} | {
    12: "d"
}

Scalar = int | float | bool | str


class GgufError(LlmstackError):
    """The file is no GGUF file, is cut off, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Gguf:
    """The header of one file.

    ``metadata`` has the plain values and the short arrays of numbers, ``lengths`` the length of
    every array. ``tensors`` maps names to bytes in the file, padding included, in file order.
    """

    metadata: Mapping[str, Scalar | tuple[int | float | bool, ...]]
    lengths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    tensors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def architecture(self) -> str:
        """The name that the keys of the model begin with, ``llama`` for one."""
        return str(self.metadata.get("general.architecture", ""))


def read_gguf(path: Path) -> Gguf:
    """Read the header of the file at ``path``; its tensors are not read.

    Raises:
        GgufError: it cannot be read, or is not what it says.
    """
    try:
        # A pipe or a device would not end.
        if not path.is_file():
            raise GgufError(f"{path} is not a file")
        with path.open("rb") as stream:
            return parse_gguf(stream, str(path))
    except OSError as error:
        raise GgufError(f"{path} cannot be read", why=error.strerror or str(error)) from error


def parse_gguf(stream: BinaryIO, name: str) -> Gguf:
    """The header at the beginning of a seekable ``stream``; ``name`` is for the errors.

    Raises:
        GgufError: as for ``read_gguf``.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    try:
        return _parse(_Cursor(stream, size))
    except _Fault as fault:
        raise GgufError(f"{name} is not a usable GGUF file", why=str(fault)) from None


class _Fault(Exception):
    """What is wrong with the file."""


class _Cursor:
    """Reads on from where it is, never past the end of the file or ``MAX_HEADER``."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size
        self.at = 0
        self.order = "<"

    @property
    def left(self) -> int:
        return min(self.size, MAX_HEADER) - self.at

    def take(self, count: int) -> bytes:
        if count > self.left:
            what = "the file is cut off" if self.size <= MAX_HEADER else "the header is too long"
            raise _Fault(f"{what} at byte {self.at}")
        data = self._stream.read(count)
        if len(data) < count:
            raise _Fault(f"the file became shorter than byte {self.at + count}")
        self.at += count
        return data

    def skip(self, count: int) -> None:
        if count > self.left:
            self.take(count)
        self._stream.seek(count, os.SEEK_CUR)
        self.at += count

    def values(self, kind: str, count: int = 1) -> tuple[int | float | bool, ...]:
        shape = f"{self.order}{count}{kind}"
        return struct.unpack(shape, self.take(struct.calcsize(shape)))

    def number(self, kind: str) -> int:
        return int(self.values(kind)[0])

    def count(self, kind: str, limit: int, what: str) -> int:
        count = self.number(kind)
        if count > limit:
            raise _Fault(f"{count} {what} are more than {limit}")
        return count

    def text(self, limit: int, what: str) -> str:
        return self.take(self.count("Q", limit, f"bytes of {what}")).decode("utf-8", "replace")

    def skip_texts(self, count: int) -> None:
        """Pass over ``count`` texts; a vocabulary has hundreds of thousands."""
        length = struct.Struct(f"{self.order}Q")
        read, seek = self._stream.read, self._stream.seek
        at, end = self.at, self.at + self.left
        for _ in range(count):
            at += 8
            head = read(8)
            if at > end or len(head) < 8:
                raise _Fault(f"the file is cut off at byte {at}")
            (bytes_,) = length.unpack(head)
            at += bytes_
            if at > end:
                raise _Fault(f"a text of {bytes_} bytes is longer than the file")
            if bytes_ <= 1 << 12:  # cheaper than a seek, which drops the buffer
                read(bytes_)
            else:
                seek(at)
        self.at = at


def _parse(cursor: _Cursor) -> Gguf:
    if cursor.take(4) != MAGIC:
        raise _Fault("it does not begin with GGUF")
    version = cursor.number("I")
    if not version & 0xFFFF:  # a small number, seen from the other side
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in VERSIONS:
        raise _Fault(f"version {version} is not one of {', '.join(map(str, VERSIONS))}")
    tensor_count = cursor.count("Q", MAX_TENSORS, "tensors")
    entries = cursor.count("Q", MAX_ENTRIES, "entries")
    metadata: dict[str, Scalar | tuple[int | float | bool, ...]] = {}
    lengths: dict[str, int] = {}
    for _ in range(entries):
        key = cursor.text(MAX_KEY, "a key")
        if key in metadata or key in lengths:
            raise _Fault(f"the key {key[:80]!r} comes twice")
        kind = cursor.number("I")
        if kind == _ARRAY:
            lengths[key], values = _array(cursor)
            if values is not None:
                metadata[key] = values
        else:
            metadata[key] = _scalar(cursor, kind)
    offsets = [_tensor(cursor) for _ in range(tensor_count)]
    return Gguf(
        MappingProxyType(metadata),
        MappingProxyType(lengths),
        MappingProxyType(_sizes(offsets, cursor, metadata.get("general.alignment", _ALIGNMENT))),
    )


def _scalar(cursor: _Cursor, kind: int) -> Scalar:
    if kind == _TEXT:
        return cursor.text(MAX_TEXT, "a text")
    if kind not in _FORMATS:
        raise _Fault(f"{kind} is no type of a value")
    return cursor.values(_FORMATS[kind])[0]


def _array(cursor: _Cursor) -> tuple[int, tuple[int | float | bool, ...] | None]:
    """The length, and the values of a short array of numbers."""
    kind = cursor.number("I")
    count = cursor.count("Q", MAX_ITEMS, "items of an array")
    if kind == _TEXT:
        cursor.skip_texts(count)
    elif kind not in _FORMATS:
        raise _Fault(f"{kind} is no type of an array's items")
    elif count <= KEPT_ITEMS:
        return count, cursor.values(_FORMATS[kind], count)
    else:
        cursor.skip(count * struct.calcsize(f"={_FORMATS[kind]}"))
    return count, None


def _tensor(cursor: _Cursor) -> tuple[str, int]:
    """Name and offset of the next tensor; shape and type do not matter here."""
    name = cursor.text(MAX_KEY, "a tensor's name")
    dimensions = cursor.count("I", _DIMENSIONS, "dimensions")
    cursor.skip(8 * dimensions + 4)
    return name, cursor.number("Q")


def _sizes(tensors: list[tuple[str, int]], cursor: _Cursor, alignment: object) -> dict[str, int]:
    """Bytes of each tensor: from its offset to the next one's, the last one's to the end.

    So types that came after this was written need no table.
    """
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
        raise _Fault(f"the alignment {alignment!r} is none")
    if not tensors:
        return {}
    start = -(-cursor.at // alignment) * alignment
    ends = sorted({offset for _, offset in tensors})
    if start + ends[-1] >= cursor.size:
        raise _Fault("the file is cut off before its last tensor")
    following = dict(zip(ends, [*ends[1:], cursor.size - start], strict=True))
    sizes: dict[str, int] = {}
    for name, offset in tensors:
        if name in sizes:
            raise _Fault(f"the tensor {name[:80]!r} comes twice")
        sizes[name] = following[offset] - offset
    return sizes
