"""What a request says itself of how it is to be fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from llmstack.config.context_settings import (
    POLICIES,
    TRUNCATIONS,
    ContextSettings,
    read_policy,
    read_truncation,
)
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A policy, a truncation mode, or both with a comma; and whether the bodies are to be kept.
CONTEXT: Final = b"x-llmstack-context"
BODIES: Final = b"x-llmstack-context-bodies"
#: The prompt optimizer's header; ours wins.
FOREIGN: Final = b"x-llamaswap-prompt-optimization-policy"
#: What is for us alone and goes to no model.
OURS: Final = frozenset({CONTEXT, BODIES, FOREIGN})
_SHOWN = 80


def with_headers(
    settings: ContextSettings, headers: Iterable[tuple[bytes, bytes]]
) -> ContextSettings:
    """``settings`` with what ``headers``, names in lower case, say.

    Raises:
        BadRequest: a value means nothing.
    """
    said: dict[bytes, bytes] = {name: value for name, value in headers if name in OURS}
    if not said:
        return settings
    for name in (FOREIGN, CONTEXT):
        for word in said.get(name, b"").decode("latin-1").split(","):
            if not word.strip():
                continue
            policy = read_policy(word)
            mode = read_truncation(word) if name == CONTEXT else None
            if policy is None and mode is None:
                raise _unknown(name, word)
            settings = replace(
                settings,
                policy=policy or settings.policy,
                truncation=mode or settings.truncation,
            )
    return settings


def asks_for_bodies(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client wants its bodies kept for a look at them."""
    return any(name == BODIES and value.strip().lower() == b"keep" for name, value in headers)


def _unknown(name: bytes, word: str) -> BadRequest:
    known = POLICIES if name == FOREIGN else (*POLICIES, *TRUNCATIONS)
    return BadRequest(
        f"the header {name.decode()} says {word.strip()[:_SHOWN]!r}",
        why=f"It is one of {', '.join(known)}",
    )
