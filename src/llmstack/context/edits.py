"""What may be done to a body. Item indexes are those of the body that the edits are made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: How the text of a ``ReplaceResult`` begins, so that a history shows the result as cleared. A
#: bracket with the word llmstack near its start is enough: ``[cleared by llmstack: ...]``.
PLACEHOLDER: Final = "[llmstack: "


@dataclass(frozen=True, slots=True)
class ReplaceResult:
    """A tool's result becomes ``text``; the call, its id and everything else of the item stay."""

    item: int
    block: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Items ``start`` up to, not including, ``end`` go. Whole units only."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Note:
    """A visible note of ours, a user's words, before item ``before``.

    Where the item there is a user's message, the note becomes its first text part, so that turns
    still alternate; where a user's message stands before it, its last one; else it is a user
    message of its own. An item that is dropped counts as what comes after it. With ``answer`` it
    is an assistant's message of its own, in the place of the answer that stood between two users'
    turns.
    """

    before: int
    text: str
    answer: bool = False


@dataclass(frozen=True, slots=True)
class CutText:
    """One long text keeps ``head`` and ``tail`` characters around ``marker``.

    ``block`` as in ``ToolResult``; None is an item whose content is one text, or the longest text
    of several. Cuts fall on line ends where there are some.
    """

    item: int
    block: int | None
    head: int
    tail: int
    marker: str


@dataclass(frozen=True, slots=True)
class LimitOutput:
    """The request's own limit of output tokens becomes ``tokens``, whatever member holds it."""

    tokens: int


Edit = ReplaceResult | Drop | Note | CutText | LimitOutput
