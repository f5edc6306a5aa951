"""A residency decision together with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.residency.memory import MemorySum


@dataclass(frozen=True, slots=True)
class Explanation:
    """``evict`` must stop before ``target`` starts; ``reason`` is a sentence for people.

    ``memory`` is the arithmetic of a decision by memory.
    """

    target: str
    evict: frozenset[str]
    reason: str
    memory: MemorySum | None = None


def listing(names: frozenset[str]) -> str:
    """Names in a fixed order, for a sentence."""
    return ", ".join(sorted(names))
