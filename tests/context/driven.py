"""Fitting driven by a stand-in for the model server."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from llmstack.context.body import read_history
from llmstack.context.checkpoints import Checkpoints, digests
from llmstack.context.fit import fitting
from llmstack.context.needs import Asked, Fitted, NeedExact, NeedSummary
from llmstack.context.settings import ContextSettings, Window

from .bodies import PATHS, measure, total

if TYPE_CHECKING:
    from llmstack.context.history import Api
    from llmstack.context.needs import Need, Unfit

SUMMARY = "\n".join(
    f"## {heading}\nwords about this that are long enough to be believed"
    for heading in ("Objective", "Decisions", "Files touched", "Done", "Open", "Next")
)


@dataclass
class Server:
    """Counts ``ratio`` times what the ruler does; answers ``answer`` to a summary's request."""

    ratio: float = 1.0
    counts: bool = True
    answer: bytes | None = None
    asked: list[Need] = field(default_factory=list)

    def fit(self, asked: Asked) -> Fitted | Unfit:
        steps = fitting(asked)
        try:
            need = next(steps)
            while True:
                self.asked.append(need)
                need = steps.send(self._meet(asked.path, need))
        except StopIteration as end:
            result: Fitted | Unfit = end.value
            return result

    def tokens(self, path: str, body: bytes) -> float:
        history = read_history(path, body)
        assert history is not None
        return total(history) * self.ratio

    def _meet(self, path: str, need: Need) -> int | bytes | None:
        if isinstance(need, NeedExact):
            return ceil(self.tokens(path, need.body)) if self.counts else None
        return self.answer

    @property
    def summaries(self) -> list[NeedSummary]:
        return [need for need in self.asked if isinstance(need, NeedSummary)]


def asked(
    api: Api,
    body: bytes,
    window: int,
    settings: ContextSettings | None = None,
    store: Checkpoints | None = None,
) -> Asked:
    chain = digests(PATHS[api], body)
    return Asked(
        PATHS[api],
        body,
        Window(window, "served"),
        settings or ContextSettings(margin=0),
        measure,
        chain,
        store.find("m", chain) if store else None,
    )
