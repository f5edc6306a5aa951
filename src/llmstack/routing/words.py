"""All the words that one ``[ROUTING]`` section looks for, compiled once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from llmstack.routing import signals, triggers
from llmstack.routing.quoting import FENCE, edges

if TYPE_CHECKING:
    from llmstack.config.stack import Routing
    from llmstack.routing.signals import Signal
    from llmstack.routing.triggers import Trigger

_LONG_INLINE_CODE = re.compile(r"`[^`\n]{30,}`")


@dataclass(frozen=True, slots=True)
class Words:
    """Triggers and signals."""

    uncensored: Trigger
    ultra: Trigger
    plan: Signal
    code: Signal

    def code_in(self, text: str, own: str) -> str | None:
        """What in a message asks for code, None when nothing does.

        A code fence and a long stretch of inline code in ``text`` do, as do code words in its
        ``own`` words.
        """
        if FENCE in text:
            return "code fence"
        if "`" in text and _LONG_INLINE_CODE.search(edges(text)):
            return "inline code"
        return self.code.find(own)


@lru_cache(maxsize=8)
def words(routing: Routing) -> Words:
    """Compile the word lists of ``routing``; an empty list means the built-in one."""
    return Words(
        uncensored=triggers.Trigger(routing.uncensored_triggers or triggers.UNCENSORED),
        ultra=triggers.Trigger(routing.ultra_triggers or triggers.ULTRA),
        plan=signals.signal(routing.plan_signal_words, signals.PLAN),
        code=signals.signal(routing.agent_signal_words, signals.CODE),
    )
