"""The context policy of a model, and the numbers that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Policy = Literal["off", "limit_only", "always", "llm_assisted"]
Truncation = Literal["sliding_window", "strict_error"]

POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)
TRUNCATIONS: Final[tuple[Truncation, ...]] = get_args(Truncation)


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """How requests for one model are fitted.

    ``limit_only`` acts only when a request does not fit; ``always`` begins earlier (at ``trigger``
    of the budget) and also collapses repetition in old tool results; ``llm_assisted`` puts a
    summary in the place of what is dropped, as late as ``limit_only`` does. Compaction goes down to
    ``target`` of the budget in one step, so that the prompt grows append-only until the next one.
    ``keep_recent`` units at the end are never cleared or dropped. ``margin`` is in tokens;
    ``summary_timeout`` in seconds.
    """

    policy: Policy = "limit_only"
    truncation: Truncation = "sliding_window"
    trigger: float = 0.85
    target: float = 0.6
    keep_recent: int = 4
    margin: int = 64
    hygiene: bool = True
    summary_timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of one request's prompt and answer. ``source`` says who told: served, learned, set."""

    tokens: int
    source: Literal["served", "learned", "override", "configured", "unknown"] = "unknown"


@dataclass(frozen=True, slots=True)
class Room:
    """The window divided: ``prompt`` tokens for what is sent, ``output`` for the answer."""

    window: int
    prompt: int
    output: int
