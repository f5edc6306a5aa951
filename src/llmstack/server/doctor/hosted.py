"""The tiers that others host: whether this machine has what it takes to ask them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.backends.static_problem import place_of, static_problem
from llmstack.server.doctor.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.config.stack import Channel, Stack


def check_hosted(stack: Stack, channel: Channel, environ: Mapping[str, str]) -> Iterator[Check]:
    """One check for each tier and source. They are not asked: that may cost money."""
    places = [(tier.name, tier.elsewhere(channel)) for tier in stack.tiers]
    places += [(source.name, source.hosted) for source in stack.sources]
    for name, hosted in places:
        if hosted is None:
            continue
        parts = (hosted.backend, hosted.model or "every model", place_of(hosted))
        found = f"{name}: {' '.join(part for part in parts if part)}"
        if problem := static_problem(hosted, environ):
            fix = "Until then auto passes it over."
            yield Check("hosted", "problem", f"{found}\n{problem}", fix)
        else:
            yield Check("hosted", "ok", found)
