"""The least valuable models that make enough room. Pure and deterministic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Partial choices that are kept at most. With nine candidates or fewer none is ever dropped.
_FRONT = 512


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may go: the bytes that it frees and what its loss would cost.

    ``value`` is compared by its sum over all that go, and only after the number of those
    ``in_use``, whose answers would have to be waited for.
    """

    model: str
    size: int
    value: int
    in_use: bool = False


class _Choice(NamedTuple):
    """Some candidates: what they free, up to what is needed, and what that costs.

    ``cost`` is how many are in use, their value, how many they are, and a bit for each.
    """

    freed: int
    cost: tuple[int, int, int, int]


def cheapest(candidates: Iterable[Candidate], need: int) -> frozenset[str] | None:
    """The candidates that free ``need`` bytes at the lowest cost; None if all of them do not.

    Among equals fewer models go, then those that come first by name.
    """
    if need <= 0:
        return frozenset()
    ordered = sorted(candidates, key=lambda candidate: candidate.model)
    if sum(candidate.size for candidate in ordered) < need:
        return None
    # Choices that free more cost more: whoever costs no less than a choice that frees as much
    # cannot become a part of the best one, because costs add up.
    front = [_Choice(0, (0, 0, 0, 0))]
    for index, candidate in enumerate(ordered):
        if candidate.size > 0:
            front = _better([*front, *(_with(choice, candidate, index, need) for choice in front)])
    chosen = front[0].cost[3]
    return frozenset(_needed([c for n, c in enumerate(ordered) if chosen >> n & 1], need))


def _with(choice: _Choice, candidate: Candidate, index: int, need: int) -> _Choice:
    in_use, value, count, members = choice.cost
    return _Choice(
        min(choice.freed + candidate.size, need),
        (in_use + candidate.in_use, value + candidate.value, count + 1, members + (1 << index)),
    )


def _better(choices: list[_Choice]) -> list[_Choice]:
    """Those that no other one beats, the one that frees most first."""
    choices.sort(key=lambda choice: (-choice.freed, choice.cost))
    front: list[_Choice] = []
    for choice in choices:
        if not front or choice.cost < front[-1].cost:
            front.append(choice)
    if len(front) <= _FRONT:
        return front
    step = len(front) / (_FRONT - 1)
    return [front[int(n * step)] for n in range(_FRONT - 1)] + [front[-1]]


def _needed(chosen: list[Candidate], need: int) -> list[str]:
    """The chosen ones without those that the others make superfluous, the dearest first."""
    spare = sum(candidate.size for candidate in chosen) - need
    kept = []
    for candidate in sorted(chosen, key=lambda c: (c.in_use, c.value, c.model), reverse=True):
        if candidate.size <= spare:
            spare -= candidate.size
        else:
            kept.append(candidate.model)
    return kept
