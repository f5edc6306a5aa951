"""Makes GGUF headers byte by byte, also such as no writer would make."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.hub.gguf import Gguf

TEXT, ARRAY = 8, 9
_KINDS: dict[type, tuple[int, str]] = {bool: (7, "?"), int: (10, "Q"), float: (12, "d")}


def text(value: str | bytes, order: str = "<") -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(f"{order}Q", len(data)) + data


def value(of: Any, order: str = "<") -> bytes:
    """Type and value."""
    if isinstance(of, (str, bytes)):
        return struct.pack(f"{order}I", TEXT) + text(of, order)
    if isinstance(of, (list, tuple)):
        kind = TEXT if isinstance(of[0], str) else _KINDS[type(of[0])][0]
        items = [value(item, order)[4:] for item in of]
        return struct.pack(f"{order}IIQ", ARRAY, kind, len(of)) + b"".join(items)
    kind, form = _KINDS[type(of)]
    return struct.pack(f"{order}I{form}", kind, of)


def header(
    entries: Mapping[str, Any],
    tensors: Mapping[str, int] | None = None,
    *,
    order: str = "<",
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    """A whole file, with zeros for the tensors' data. ``tensors`` maps names to bytes."""
    tensors = tensors or {}
    data = b"GGUF" + struct.pack(f"{order}IQQ", version, len(tensors), len(entries))
    for key, of in entries.items():
        data += text(key, order) + value(of, order)
    at = 0
    for name, size in tensors.items():
        data += text(name, order) + struct.pack(f"{order}IQIQ", 1, size, 24, at)
        at += -(-size // alignment) * alignment
    return data + bytes(-len(data) % alignment) + bytes(at)


def model(architecture: str, tensors: Mapping[str, int] | None = None, **numbers: Any) -> Gguf:
    """A header as ``read_gguf`` returns it; ``a__b`` is the key ``ARCHITECTURE.a.b``."""
    from llmstack.hub.gguf import Gguf

    named = {f"{architecture}.{key.replace('__', '.')}": of for key, of in numbers.items()}
    return Gguf({"general.architecture": architecture, **named}, {}, dict(tensors or {}))
