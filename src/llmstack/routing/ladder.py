"""The tiers that automatic routing may choose from, each with the role it plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from llmstack.config.stack import KNOWN_ROLES, Routing, Stack, Tier
from llmstack.dialects.reserve import output_reserve
from llmstack.routing.words import Words, words

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["fast", "agent", "ultra", "plan", "uncensored"]

#: Role here, role in ``models.ini``, and the section that plays it when no tier has the role.
_ROLES: Final[tuple[tuple[Role, str, str], ...]] = (
    ("fast", "fast", "code-fast"),
    ("agent", "agent", "code-smart"),
    ("ultra", "ultra", "code-ultra"),
    ("plan", "plan", "plan"),
    ("uncensored", "plan-uncensored", "plan-uncensored"),
)

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rung:
    """One tier: its name and its window in tokens, 0 when unknown."""

    model: str
    window: int = 0

    def fits(self, tokens: int, max_output: int | None) -> bool:
        """Whether a prompt of ``tokens`` fits with room for the answer.

        The room is that of ``output_reserve``. An unknown window fits.
        """
        if not self.window:
            return True
        return tokens + output_reserve(self.window, max_output) <= self.window


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rungs by role, the ceilings in tokens, and the compiled word lists.

    At or below ``high`` tokens the best tier answers, at or below ``mid`` the agent tier, above
    it the fast one unless tools or ``multi_turn`` user turns call for the agent tier. ``missed``
    are the tiers that would have had a role but cannot be asked now, each with why, in short ASCII.
    ``substitutes`` would play a role if another tier did not: a turn that began on one stays.
    ``sticky`` asks for ``route``'s thrift, and ``limit`` is the most seconds that a step of the
    ladder is worth (``price``).
    """

    rungs: Mapping[Role, Rung]
    words: Words
    high: int = 12_000
    mid: int = 32_000
    multi_turn: int = 6
    missed: Mapping[Role, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    substitutes: Mapping[str, Rung] = field(default_factory=lambda: MappingProxyType({}))
    sticky: bool = True
    limit: float = 45.0

    def rung_of(self, model: str) -> Rung | None:
        """The rung that ``model`` is; None for one that cannot be asked or plays no role."""
        for rung in self.rungs.values():
            if rung.model == model:
                return rung
        return self.substitutes.get(model)

    def role_of(self, model: str) -> Role | None:
        """The first role that ``model`` plays."""
        for role, rung in self.rungs.items():
            if rung.model == model:
                return role
        return None


def ladder(
    stack: Stack,
    unavailable: Mapping[str, str] = _NOBODY,
    barred: frozenset[str] = frozenset(),
) -> Ladder:
    """The ladder of ``stack`` without the tiers in ``unavailable``, which says why of each.

    Of the tiers in ``barred`` nothing is said: whoever asks may not know of them.

    The tier that ``routing.players`` names for a role plays it, else the first available one with
    the role. When no tier of the stack has the role, the tier with the traditional name does,
    unless it plays another known role. A why follows the tier's name: ``over its
    budget_usd_per_day``.
    """
    rungs: dict[Role, Rung] = {}
    missed: dict[Role, tuple[str, ...]] = {}
    substitutes: dict[str, Rung] = {}
    for role, ini_role, name in _ROLES:
        skipped: list[str] = []
        for tier in _players(stack, ini_role, name):
            if tier.name in barred:
                continue
            rung = Rung(tier.name, max(tier.ctx_size, 0))
            if role in rungs:
                if tier.name not in unavailable:
                    substitutes[tier.name] = rung
            elif tier.name in unavailable:
                skipped.append(_plain(f"{tier.name} {unavailable[tier.name]}"))
            else:
                rungs[role] = rung
        if skipped:
            missed[role] = tuple(skipped)
    routing: Routing = stack.routing
    return Ladder(
        rungs=MappingProxyType(rungs),
        words=words(routing),
        high=routing.high_fidelity_ceiling,
        mid=routing.mid_fidelity_ceiling,
        multi_turn=routing.multi_turn,
        missed=MappingProxyType(missed),
        substitutes=MappingProxyType(substitutes),
        sticky=routing.sticky,
        limit=routing.switch_cost_limit,
    )


def _players(stack: Stack, role: str, name: str) -> tuple[Tier, ...]:
    """Who may play a role, the first choice first."""
    named = dict(stack.routing.players).get(role)
    chosen = tuple(tier for tier in stack.tiers if tier.name == named)
    others = tuple(tier for tier in stack.with_role(role) if tier.name != named)
    if chosen or others:
        return chosen + others
    usual = stack.tier(name)
    return (usual,) if usual and usual.role not in KNOWN_ROLES else ()


def _plain(text: str) -> str:
    """``text`` fit for a header."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)
