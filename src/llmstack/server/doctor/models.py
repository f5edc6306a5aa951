"""The models that a stack names: what they need, and which are here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.hub.hub_file import HubFile
from llmstack.hub.remote_file import cached_path
from llmstack.server.doctor.check import Check
from llmstack.server.wanted import wanted_files

if TYPE_CHECKING:
    from collections.abc import Container

    from llmstack.config.stack import Channel, Stack, Tier, Weights

GB = 10**9


def needed_bytes(stack: Stack, channel: Channel) -> int:
    """What is loaded together at the most: the fast tiers, and the largest of the others.

    A tier counts with its ``size_gb``, else with the size of its file; one with neither counts
    nothing.
    """
    fast = [tier for tier in stack.local if tier.role == "fast"]
    others = [tier for tier in stack.local if tier.role != "fast"]
    together = sum(_size(tier, channel) for tier in fast)
    return together + max((_size(tier, channel) for tier in others), default=0)


def _size(tier: Tier, channel: Channel) -> int:
    weights = tier.effective(channel)
    if weights.size_gb is not None:
        return int(weights.size_gb * GB)
    try:
        return Path(weights.path).stat().st_size if weights.path else 0
    except OSError:
        return 0


def check_files(stack: Stack, channel: Channel) -> tuple[Check, int]:
    """Which hub files are in the cache, and about how many bytes of this channel's are not.

    Only the cache is looked at; whether the hub has something newer is what ``check`` asks.
    """
    wanted = wanted_files(stack)
    gone = {one.file: one.labels for one in wanted if cached_path(one.file) is None}
    here = f"{len(wanted) - len(gone)} of {len(wanted)} files from the hub are here"
    if not gone:
        return Check("models", "ok", here if wanted else "no tier needs a file from the hub"), 0
    tiers = [tier for tier in stack.local if _lacks(tier.effective(channel), gone)]
    missing = sum(_size(tier, channel) for tier in tiers)
    if not tiers:
        waiting = ", ".join(sorted({label for labels in gone.values() for label in labels}))
        return Check("models", "ok", f"{here}; not those of {waiting}"), 0
    names = ", ".join(tier.name for tier in tiers)
    return (
        Check("models", "warning", f"{here}; {names} cannot be loaded yet", "llmstack download"),
        missing,
    )


def _lacks(weights: Weights, gone: Container[HubFile]) -> bool:
    if not (weights.hf_repo and weights.hf_file):
        return False
    parts = HubFile(weights.hf_repo, weights.hf_file).parts()
    return any(part in gone for part in parts)
