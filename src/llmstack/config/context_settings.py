"""How requests for one model are fitted into its window, as configurations say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

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


#: Of models in a llama-swap configuration that says nothing of all this: what llama-swap does.
UNTOUCHED: Final = ContextSettings("off", hygiene=False)


def read_policy(text: str) -> Policy | None:
    """The policy that ``text`` names in any case, blanks around it left out; None for no policy."""
    plain = text.strip().lower()
    return next((policy for policy in POLICIES if policy == plain), None)


def read_truncation(text: str) -> Truncation | None:
    """The truncation that ``text`` names, read like a policy."""
    plain = text.strip().lower()
    return next((mode for mode in TRUNCATIONS if mode == plain), None)


def share_fault(trigger: float, target: float) -> str:
    """What is wrong with these two shares of the budget, or nothing."""
    if not 0 < trigger <= 1:
        return f"the trigger {trigger:g} is no share above 0 and up to 1"
    if not 0 < target < trigger:
        return f"the target {target:g} is not above 0 and below the trigger {trigger:g}"
    return ""


#: Key of a llama-swap configuration, by the setting that it holds.
SWAP_KEYS: Final[Mapping[str, str]] = {
    "policy": "contextPolicy",
    "truncation": "truncationMode",
    "trigger": "contextTrigger",
    "target": "contextTarget",
    "keep_recent": "contextKeepRecent",
    "hygiene": "promptHygiene",
}


def written(settings: ContextSettings) -> dict[str, str | float | int | bool]:
    """The keys of a llama-swap configuration that say what is not the default."""
    plain = ContextSettings()
    return {
        key: value
        for name, key in SWAP_KEYS.items()
        if (value := getattr(settings, name)) != getattr(plain, name)
    }
