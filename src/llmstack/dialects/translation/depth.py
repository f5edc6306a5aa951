"""How deep the arrays and objects may be in what a client may freely write."""

from __future__ import annotations

#: Levels of nesting. botocore walks values by recursion, and so do the writers of JSON.
DEEPEST = 100


def shallow(value: object, levels: int = DEEPEST) -> bool:
    """Whether the arrays and objects of ``value`` are at most ``levels`` deep."""
    if isinstance(value, dict):
        return levels > 0 and all(shallow(each, levels - 1) for each in value.values())
    if isinstance(value, list):
        return levels > 0 and all(shallow(each, levels - 1) for each in value)
    return True
