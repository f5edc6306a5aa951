"""The files on the model hub that a stack needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.hub.hub_file import HubFile, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.config.stack import Channel, Stack


def wanted_files(stack: Stack) -> tuple[Wanted, ...]:
    """Every hub file of ``stack``, of both channels, each once, in file order."""
    labels: dict[HubFile, list[str]] = {}
    for file, label in _named(stack):
        for part in file.parts():
            labels.setdefault(part, []).append(label)
    return tuple(Wanted(file, tuple(dict.fromkeys(named))) for file, named in labels.items())


def _named(stack: Stack) -> Iterator[tuple[HubFile, str]]:
    for tier in stack.local:
        for weights, label in ((tier.weights, tier.name), (tier.weights_next, f"{tier.name} next")):
            if weights and weights.hf_repo and weights.hf_file:
                yield HubFile(weights.hf_repo, weights.hf_file), label


def served_files(stack: Stack, channel: Channel) -> list[tuple[str, HubFile]]:
    """The tiers that ``channel`` serves from the hub, each with the file that is loaded."""
    named = [(tier.name, tier.effective(channel)) for tier in stack.local]
    return [
        (name, HubFile(weights.hf_repo, weights.hf_file))
        for name, weights in named
        if weights.hf_repo and weights.hf_file
    ]
