"""Turns to evaluate on."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from llmstack.routing.evaluation import Turn, read_turns

SHIPPED_BYTES = files("llmstack.routing.evaluation").joinpath("turns.jsonl").read_bytes()
SHIPPED = read_turns(SHIPPED_BYTES, "turns.jsonl")


def turn(label: str = "agent", **fields: Any) -> Turn:
    """A plain turn with some fields of its own."""
    known: dict[str, Any] = {
        "id": "one",
        "source": "nobody",
        "split": "test",
        "kind": "agent",
        "language": "en",
        "client": "opencode",
        "tools": False,
        "text": "do it",
        "label_a": label,
    }
    return Turn(**{**known, **fields})
