"""JSON that travels through Converse as a value: arguments, results and schemas."""

from __future__ import annotations

from typing import Any

import msgspec

from llmstack.dialects.translation.depth import shallow
from llmstack.dialects.translation.tolerant import json_object


def read_arguments(text: str) -> dict[str, Any]:
    """The arguments of a call as the object that Converse wants.

    What is no JSON goes as ``{"_raw": text}``, other JSON as ``{"value": ...}``.
    """
    if not text.strip():
        return {}
    try:
        value = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return {"_raw": text}
    if not shallow(value):
        return {"_raw": text}
    return value if isinstance(value, dict) else {"value": value}


def compact_object(text: str) -> dict[str, Any] | None:
    """The object that ``text`` is, if it can be written again to the very same text.

    Tools show files: whatever has spaces or line ends to lose stays text.
    """
    if not text.startswith("{"):
        return None
    value = json_object(text)
    if value is None or not shallow(value):
        return None
    return value if msgspec.json.encode(value).decode() == text else None
