"""A recorded request without its words, as far as routing can decide it again.

The log keeps no prompts. What a request asked for is taken from the reason that was logged; words
that stand for that reason are put in place of the user's, so that the real rules decide. What
nobody can know again: what the words of side work would have made the bare ladder do, and whether
a request that was decided by its size carried tools (it is taken to).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmstack.dialects import RequestView
from llmstack.routing.decide import decide
from llmstack.routing.kind import SIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.dialects.view import Dialect
    from llmstack.routing.kind import Kind, Mode
    from llmstack.routing.ladder import Ladder

_KINDS: Final[tuple[tuple[re.Pattern[str], Kind], ...]] = (
    (re.compile(r"(?:^|; )the same turn stays on"), "continuation"),
    (re.compile(r"(?:^|; )a terse follow-up stays on"), "follow-up"),
    (re.compile(r"^title\b"), "title"),
    (re.compile(r"^summary\b"), "summary"),
    (re.compile(r"^probe\b"), "probe"),
    (re.compile(r"^count\b"), "count"),
    (re.compile(r"^compaction\b"), "compaction"),
)
#: A logged reason that words gave, and words (with tools or without) that give it again.
_WORDS: Final = (
    ("uncensored trigger", ("[uncensored]", "nofilter: go on", "[heretic]")),
    ("ultra trigger", ("[ultra] go on", "[opus] go on", "ultra: go on")),
    ("plan words", ("what are the trade-offs of this design?", "how should we design this?")),
)
#: What the log says of a request that named its model.
NAMED: Final = "named by the client"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a recorded request asked for. ``sure`` is false where its wish cannot be had again."""

    view: RequestView
    kind: Kind
    mode: Mode
    sure: bool = True


def kind_in(reason: str) -> Kind:
    """The kind of request that a logged reason tells of."""
    return next((kind for found, kind in _KINDS if found.search(reason)), "turn")


def asked(
    reason: str, tier: str, tokens: int, turn: int, ladder: Ladder, dialect: Dialect = "chat"
) -> Asked:
    """What the row with this ``reason`` asked for, in the session's turn with that number."""
    kind = kind_in(reason)
    if reason == NAMED:
        return Asked(_view(dialect, tier, tokens, turn, f"turn {turn}"), "turn", "")
    mode: Mode = "plan" if "plan mode of the client" in reason else ""
    tools = "no tools" not in reason and kind not in SIDE and kind != "compaction"
    for words, view in _tries(reason, dialect, tokens, turn, tools=tools):
        wish = decide(view, ladder, mode).reason
        if not words or words in wish:
            return Asked(view, kind, mode, sure=not words or words in reason)
    plain = _view(dialect, "auto", tokens, turn, f"turn {turn}", tools=tools)
    return Asked(plain, kind, mode, sure=False)


def _tries(
    reason: str, dialect: Dialect, tokens: int, turn: int, *, tools: bool
) -> Iterator[tuple[str, RequestView]]:
    for rule, phrases in _WORDS:
        if rule in reason:
            for phrase in phrases:
                carries = tools and rule != "plan words"
                said = f"{phrase} {turn}" if rule == "plan words" else phrase
                yield rule, _view(dialect, "auto", tokens, turn, said, tools=carries)
            return
    yield "", _view(dialect, "auto", tokens, turn, f"turn {turn}", tools=tools)


def _view(
    dialect: Dialect, model: str, tokens: int, turn: int, said: str, *, tools: bool = True
) -> RequestView:
    return RequestView(
        dialect, model, last_user=said, has_tools=tools, user_turns=turn, tokens=tokens
    )
