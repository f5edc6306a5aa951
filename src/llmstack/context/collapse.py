"""Runs of one line, told once. Nothing else of a text changes, no indentation either."""

from __future__ import annotations

from itertools import groupby

from llmstack.context.phrases import repeated

#: So many equal lines in a row are a run.
RUN = 4


def collapse(text: str) -> str:
    """``text`` with runs of equal lines shortened to the first one and a note."""
    kept: list[str] = []
    for line, run in groupby(text.split("\n")):
        times = sum(1 for _ in run)
        if times < RUN:
            kept += [line] * times
        else:
            kept += (line, repeated(times - 1))
    return "\n".join(kept)
