"""A residency decision together with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """``evict`` must stop before ``target`` starts; ``reason`` is a sentence for people."""

    target: str
    evict: frozenset[str]
    reason: str


def listing(names: frozenset[str]) -> str:
    """Names in a fixed order, for a sentence."""
    return ", ".join(sorted(names))
