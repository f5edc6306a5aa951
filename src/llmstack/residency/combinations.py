"""Families of model combinations, and the best one of a family without listing it.

A combination is a bit mask over models. A family is what a set expression denotes: an ordered
list of combinations, usually far too long to write down. ``Family`` keeps the expression's shape
instead, and ``Search`` looks only at the models that matter for one decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


#: Beyond this many combinations, comparing all pairs costs more than it saves.
_COMPARABLE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Combinations in order: ``fixed`` united with one combination of each of ``parts``.

    With ``options`` it is instead their combinations one after the other. ``support`` has every
    model that occurs; ``others[i]`` those of the parts other than ``i``, ``later[i]`` those of the
    parts after ``i``. ``depth`` counts nested families.
    """

    support: int
    fixed: int = 0
    parts: tuple[Family, ...] = ()
    options: tuple[Family, ...] = ()
    others: tuple[int, ...] = ()
    later: tuple[int, ...] = ()
    depth: int = 1


def single(bit: int) -> Family:
    """The family of the one combination of one model."""
    return Family(support=bit, fixed=bit)


def together(families: Iterable[Family]) -> Family:
    """One combination of each family, united; the leftmost family varies slowest."""
    fixed, parts = 0, []
    for family in families:
        if family.options or family.parts:
            parts.append(family)
        else:
            fixed |= family.fixed
    if len(parts) == 1 and not fixed:
        return parts[0]
    supports = [part.support for part in parts]
    return Family(
        support=fixed | _union(supports),
        fixed=fixed,
        parts=tuple(parts),
        others=tuple(_union(supports[:i] + supports[i + 1 :]) for i in range(len(supports))),
        later=tuple(_union(supports[i + 1 :]) for i in range(len(supports))),
        depth=1 + max((part.depth for part in parts), default=0),
    )


def either(families: Iterable[Family]) -> Family:
    """The combinations of all families, in order. A family that comes again adds nothing."""
    options: dict[Family, None] = {}
    for family in families:
        options.update(dict.fromkeys(family.options or (family,)))
    if len(options) == 1:
        return next(iter(options))
    return Family(
        support=_union([option.support for option in options]),
        options=tuple(options),
        depth=1 + max(option.depth for option in options),
    )


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


@dataclass(slots=True)
class Search:
    """Looks for the combination with ``target`` that keeps the most weight of the ``running``.

    ``weight`` gives the summed cost of a mask of running models. Two combinations that agree on
    ``target`` and ``running`` are one here. A combination is forgotten once another one can take
    its place in every larger combination, without costing more and without a change of order
    among equals; models that occur in no other part of the expression are then mere weight. So
    the work depends on how much the parts of an expression share, not on how many combinations
    it denotes.
    """

    target: int
    running: int
    weight: Callable[[int], int]
    _memo: dict[tuple[Family, int, int, bool], list[int]] = field(default_factory=dict)

    def best(self, family: Family) -> int | None:
        """The best combination, the first one among equals; None if none has the target."""
        masks = self._masks(family, self.target | self.running, self.target, needed=True)
        return max(masks, key=lambda mask: self.weight(mask & self.running), default=None)

    def _masks(self, family: Family, world: int, shared: int, *, needed: bool) -> list[int]:
        """What is left of ``family`` in ``world``, given the models ``shared`` with its context.

        With ``needed``, only combinations that have the target.
        """
        if needed and not family.support & self.target:
            return []
        if not family.options and not family.parts:
            return [family.fixed & world]
        world &= family.support
        if not world and not needed:
            return [0]
        shared &= world
        key = (family, world, shared, needed)
        if (known := self._memo.get(key)) is None:
            choose = self._options if family.options else self._product
            known = self._memo[key] = choose(family, world, shared, needed=needed)
        return known

    def _options(self, family: Family, world: int, shared: int, *, needed: bool) -> list[int]:
        masks: dict[int, None] = {}
        for option in family.options:
            masks.update(dict.fromkeys(self._masks(option, world, shared, needed=needed)))
        return self._frontier(masks, shared)

    def _product(self, family: Family, world: int, shared: int, *, needed: bool) -> list[int]:
        fixed = family.fixed & world
        free = world & ~fixed
        masks = [0]
        needed = needed and not fixed & self.target
        for part, others, later in zip(family.parts, family.others, family.later, strict=True):
            if not part.support & world:
                continue
            sole = needed and not others & self.target and bool(part.support & self.target)
            added = self._masks(part, free, shared | others, needed=sole)
            joined = dict.fromkeys(left | right for left in masks for right in added)
            masks = self._frontier(joined, shared | later)
        return [fixed | mask for mask in masks if not needed or mask & self.target]

    def _frontier(self, masks: Iterable[int], shared: int) -> list[int]:
        """``masks`` without those that another one replaces in every context."""
        best: dict[int, tuple[int, int]] = {}
        for mask in masks:
            private = self.weight(mask & self.running & ~shared)
            kept = best.get(mask & shared)
            if kept is None or private > kept[0]:
                best.pop(mask & shared, None)
                best[mask & shared] = (private, mask)
        if len(best) == 1 or len(best) > _COMPARABLE:
            return [mask for _, mask in best.values()]
        left: list[tuple[int, int, int]] = []
        for outside, (private, mask) in best.items():
            for other_outside, other_private, _ in left:
                if outside & ~other_outside == 0 and private <= other_private:
                    break
            else:
                left = [entry for entry in left if entry[0] & ~outside or entry[1] >= private]
                left.append((outside, private, mask))
        return [mask for _, _, mask in left]
