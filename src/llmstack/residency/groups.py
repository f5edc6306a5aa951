"""Residency by groups: who leaves when a model of a group arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.swap import Group
from llmstack.residency.explanation import Explanation, listing
from llmstack.residency.idle import ALL_IN_USE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.residency.idle import Idle

#: Models that are in no group share this one. It swaps and is exclusive.
DEFAULT_GROUP = Group(id="(default)", members=())


class GroupResidency:
    """The rules of ``groups``.

    When T of group G arrives, a running R leaves if it is in G too and G swaps, or if it is in
    another group H, G is exclusive and H is not persistent. Nobody else leaves; in particular a
    member of a group that is not exclusive never makes another group's model leave.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        self._group_of = {member: group for group in groups for member in group.members}

    def evict(self, target: str, running: Iterable[str], _: Idle = ALL_IN_USE) -> frozenset[str]:
        """The running models that must stop before ``target`` starts."""
        group = self._group(target)
        return frozenset(
            other for other in running if other != target and self._leaves(group, other)
        )

    def explain(self, target: str, running: Iterable[str], _: Idle = ALL_IN_USE) -> Explanation:
        """``evict`` with its reason."""
        group = self._group(target)
        evicted = self.evict(target, running)
        inside = frozenset(other for other in evicted if self._group(other) is group)
        reasons = []
        if inside:
            reasons.append(f'group "{group.id}" swaps its members: {listing(inside)} stops')
        if outside := evicted - inside:
            reasons.append(f'group "{group.id}" is exclusive: {listing(outside)} stops')
        reason = "; ".join(reasons) or f'group "{group.id}" needs no running model to stop'
        return Explanation(target, evicted, f"{reason}.")

    def refusal(self, _: str, __: Iterable[str]) -> None:
        """None: whoever stands in the way stops."""

    def _group(self, model: str) -> Group:
        return self._group_of.get(model, DEFAULT_GROUP)

    def _leaves(self, group: Group, other: str) -> bool:
        other_group = self._group(other)
        if other_group is group:
            return group.swap
        return group.exclusive and not other_group.persistent
