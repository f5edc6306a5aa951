"""The outcome of routing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from llmstack.routing.ladder import Role

#: What decided: the user's trigger, the client's mode, words, sizes, or nothing but what is left.
Rule = Literal["trigger", "mode", "words", "size", "rest"]


class Decision(msgspec.Struct, frozen=True):
    """Which tier answers and why.

    ``reason`` is one short ASCII phrase fit for a response header; ``tokens`` the estimated
    prompt size; ``tried`` the rules looked at in order, each with its outcome, for ``explain``.
    ``rule`` is the kind of rule that decided, ``role`` the one that the model plays.
    """

    model: str
    reason: str
    tokens: int
    tried: tuple[str, ...] = ()
    rule: Rule = "rest"
    role: Role | None = None

    @property
    def asked(self) -> bool:
        """Whether user or client asked for it: nothing that was guessed may overrule it."""
        return self.rule in ("trigger", "mode")
