"""One state of a compacted conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.context.edits import Drop, Note

if TYPE_CHECKING:
    from llmstack.context.edits import Edit


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Edits for every body that begins with the ``length`` items whose chain digest is ``digest``.

    ``summary`` is the text that stands for what was dropped; it is in one of the edits too.
    ``window`` is the one that they were made for, 0 where that is not known.
    """

    length: int
    digest: str
    edits: tuple[Edit, ...]
    summary: str = ""
    window: int = 0


def reach(edits: tuple[Edit, ...]) -> int:
    """How many items from the first on the edits depend upon."""
    ends = [0]
    for edit in edits:
        if isinstance(edit, Drop):
            ends.append(edit.end + 1)  # a note at the gap depends on what follows
        elif isinstance(edit, Note):
            ends.append(edit.before + 1)
        elif hasattr(edit, "item"):
            ends.append(edit.item + 1)
    return max(ends)
