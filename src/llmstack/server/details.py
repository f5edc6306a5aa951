"""What is known of the latest requests beyond their rows: how they were routed and fitted.

It is kept in memory only, and no text of any message is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.server.fitter import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.context.report import Report
    from llmstack.routing import Choice
    from llmstack.server.asgi import Scope

#: Requests that are remembered.
MOST: Final = 500
_QUOTES = "'\""


class Details:
    """By the id of a request's row. For one event loop.

    The objects that routing and fitting made are kept as they are, and told when somebody asks.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Choice | dict[str, Any] | None, Report | None]] = {}

    def keep(self, number: int, scope: Scope) -> None:
        """Remember what the doors have left in the ``scope`` of a request that has ended."""
        choice, report = scope.get("llmstack.choice"), scope.get("llmstack.fitted")
        if choice is None and report is None:
            return
        kept = self._kept
        kept[number] = (None if choice is None else _without_words(choice), report)
        if len(kept) > MOST:
            del kept[next(iter(kept))]

    def decision(self, number: int) -> Mapping[str, Any] | None:
        """How ``auto`` decided, as ``/api/route`` tells it; None where nothing is known."""
        choice = self._kept.get(number, (None, None))[0]
        return choice if choice is None or isinstance(choice, dict) else choice.report()

    def context(self, number: int) -> Mapping[str, Any] | None:
        """How the prompt was fitted, as ``prompt-optimization/latest`` reports it, else None."""
        report = self._kept.get(number, (None, None))[1]
        if report is None:
            return None
        return {**msgspec.to_builtins(report), "note": told(report)}


def _without_words(choice: Choice) -> Choice | dict[str, Any]:
    """``choice`` without what it quotes from the message; most quote nothing and are kept so."""
    tried = choice.routed.decision.tried
    if not any("'" in rule or '"' in rule for rule in tried):
        return choice
    return {**choice.report(), "tried": [_unquoted(rule) for rule in tried]}


def _unquoted(rule: str) -> str:
    """``plan words: yes, 'design'`` as ``plan words: yes``."""
    at = min((at for quote in _QUOTES if (at := rule.find(quote)) >= 0), default=len(rule))
    return rule[:at].rstrip(", ")
