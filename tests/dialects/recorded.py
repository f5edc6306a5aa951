"""Requests that opencode really sent, with token counts of a real tokenizer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "data" / "opencode-requests"


@dataclass(frozen=True)
class Recorded:
    """One recorded request. Token counts are None where none were taken."""

    name: str
    path: str
    body: dict[str, Any]
    message_tokens: int | None = None
    tool_tokens: int | None = None

    @property
    def wire(self) -> bytes:
        return wire(self.body)

    def asking_for(self, model: str) -> bytes:
        return wire({**self.body, "model": model})


def wire(body: object) -> bytes:
    """``body`` as JavaScript clients write it: compact, in UTF-8."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _counts() -> dict[str, tuple[int, int]]:
    rows = (FOLDER / "INDEX.md").read_text().splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: (int(messages), int(tools)) for name, *_, messages, tools in cells}


def _load() -> tuple[Recorded, ...]:
    counts = _counts()
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        record = json.loads(file.read_text())
        if record["method"] == "POST":
            tokens = counts.get(file.stem, (None, None))
            found.append(Recorded(file.stem, record["path"], record["body"], *tokens))
    return tuple(found)


RECORDED = _load()


def recorded(name: str) -> Recorded:
    return next(request for request in RECORDED if request.name == name)
