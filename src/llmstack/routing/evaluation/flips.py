"""How often other words, or slips of the finger, change a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.routing.evaluation.scores import share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstack.routing.evaluation.turn import Kind, Turn


@dataclass(frozen=True, slots=True)
class Flips:
    """Of ``compared`` variants, ``flipped`` went elsewhere than the base of their group."""

    compared: int
    flipped: int

    @property
    def rate(self) -> float:
        """The share that flipped; lower is better, and 0 is easily had by never looking."""
        return share(self.flipped, self.compared)


def flips(decided: Iterable[tuple[Turn, Kind]], variant: str) -> Flips:
    """The flips of one kind of variant; groups without a base are left out."""
    groups: dict[str, list[tuple[Turn, Kind]]] = {}
    for turn, chosen in decided:
        if turn.group:
            groups.setdefault(turn.group, []).append((turn, chosen))
    counts = [_in_group(group, variant) for group in groups.values()]
    return Flips(sum(compared for compared, _ in counts), sum(flipped for _, flipped in counts))


def _in_group(group: Sequence[tuple[Turn, Kind]], variant: str) -> tuple[int, int]:
    base = next((chosen for turn, chosen in group if turn.variant == "base"), None)
    if base is None:
        return 0, 0
    others = [chosen for turn, chosen in group if turn.variant == variant]
    return len(others), sum(chosen != base for chosen in others)
