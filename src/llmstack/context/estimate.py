"""How many tokens a history has, by what the model's tokenizer was seen to make of others.

A prompt is measured in six sizes, and a ``Calibration`` has the tokens that one of each costs. The
estimate is the sum of the products, so that it adds up over units.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.context.calibration import Calibration
    from llmstack.context.history import History, Unit


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a prompt consists of.

    ``latin``, ``wide`` (all other scripts), ``data`` (arguments of calls) and ``tools`` (their
    definitions as JSON) are in characters. ``items`` count what the chat template wraps.
    """

    latin: float = 0
    wide: float = 0
    data: float = 0
    tools: float = 0
    images: float = 0
    items: float = 0

    @property
    def row(self) -> tuple[float, ...]:
        """The members in their order."""
        return self.latin, self.wide, self.data, self.tools, self.images, self.items


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of a history: what stands beside its list (``front``), and each unit in order.

    ``exact`` says that the total is the model server's own.
    """

    front: int
    units: tuple[int, ...]
    exact: bool = False

    @property
    def total(self) -> int:
        """The whole prompt."""
        return self.front + sum(self.units)


def unit_sizes(unit: Unit) -> Sizes:
    """The sizes of one unit; what is not Latin counts as text first."""
    wide_text = min(unit.wide_chars, unit.text_chars)
    return Sizes(
        latin=unit.text_chars - wide_text,
        wide=unit.wide_chars,
        data=max(0, unit.other_chars - (unit.wide_chars - wide_text)),
        images=unit.images,
        items=unit.end - unit.start,
    )


def front_sizes(history: History) -> Sizes:
    """The sizes of what stands beside the list, with what a template adds to every prompt."""
    wide = min(history.front_wide_chars, history.front_chars)
    return Sizes(
        latin=history.front_chars - wide,
        wide=wide,
        tools=history.tools_chars,
        # The beginning of the answer is an item too, and so are instructions.
        items=2 if history.front_chars else 1,
    )


def history_sizes(history: History) -> Sizes:
    """The sizes of the whole prompt."""
    rows = [front_sizes(history).row, *(unit_sizes(unit).row for unit in history.units)]
    return Sizes(*map(sum, zip(*rows, strict=True)))


def estimate(history: History, calibration: Calibration) -> Counts:
    """The tokens of ``history`` for a model that is calibrated so, none below what is safe."""
    parts = [front_sizes(history), *map(unit_sizes, history.units)]
    front, *units = _rounded([calibration.tokens(part) for part in parts])
    return Counts(front, tuple(units))


def scaled(counts: Counts, exact_total: int) -> Counts:
    """``counts`` in the same proportions, with exactly ``exact_total`` tokens in all."""
    exact_total = max(exact_total, 0)
    if not (total := counts.total):
        return Counts(exact_total, counts.units, exact=True)
    factor = exact_total / total
    front, *units = _rounded([part * factor for part in (counts.front, *counts.units)])
    return Counts(front, tuple(units), exact=True)


def _rounded(parts: list[float]) -> list[int]:
    """Whole numbers whose sums from the beginning are those of ``parts``, rounded."""
    sums = [round(one) for one in accumulate(parts)]
    return [after - before for before, after in zip([0, *sums], sums, strict=False)]
