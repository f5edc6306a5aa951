"""Which tier answers a request that asks for ``auto``. Pure: values in, a decision out."""

from llmstack.routing.decide import decide, requested
from llmstack.routing.decision import Decision
from llmstack.routing.ladder import Ladder, Role, Rung, ladder
from llmstack.routing.words import Words, words

__all__ = ["Decision", "Ladder", "Role", "Rung", "Words", "decide", "ladder", "requested", "words"]
