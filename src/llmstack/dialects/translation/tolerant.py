"""Values of an upstream's answer. What is odd says nothing: an answer is read as far as it goes."""

from __future__ import annotations

from typing import Any

import msgspec

from llmstack.dialects.ollama_piece import number


def an_object(value: object) -> dict[str, Any]:
    """``value``, or an empty object."""
    return value if isinstance(value, dict) else {}


def a_list(value: object) -> list[Any]:
    """``value``, or an empty array."""
    return value if isinstance(value, list) else []


def a_text(value: object) -> str:
    """``value``, or no words."""
    return value if isinstance(value, str) else ""


def a_count(value: object) -> int:
    """``value`` as a number of things; none for one that no JSON reader would keep exact."""
    told = int(number(value) or 0)
    return told if told < 2**53 else 0


def json_object(text: str) -> dict[str, Any] | None:
    """The object that ``text`` is, None for anything else."""
    try:
        found = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
