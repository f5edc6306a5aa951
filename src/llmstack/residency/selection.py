"""Which models of the catalogue a machine's memory holds together. Pure and deterministic.

The main model, the coding agent, comes first: the largest one that fits beside the smallest fast
one. So more memory never gives a smaller one. Then its context, then the fast model; then the
largest planner that fits beside the fast one, which takes the agent's place when it is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.residency.footprint import estimate
from llmstack.residency.memory import shown
from llmstack.residency.room import MARGIN, Load, Total, share_of, total_of
from llmstack.residency.sizing import TYPE_BYTES, Sizing, first_experts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from llmstack.hub.catalogue import CatalogueModel
    from llmstack.residency.footprint import Footprint
    from llmstack.residency.room import Room

#: Contexts that are tried. Up to the first limit more is worth more than a larger fast model.
LADDER = (8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10)
ENOUGH = 64 << 10
#: Without a GPU a long prompt takes minutes: contexts go up to here, and so do active parameters
#: (in billions).
CPU_CONTEXT, CPU_ACTIVE = 32 << 10, 8.5

#: What a choice should leave in the machine's memory, for prompts that servers remember.
COMFORT = 1 << 30
#: Layers by which more experts leave the GPU.
STEP = 4

_NAMES = {"fast": "code-fast", "agent": "code-smart", "plan": "plan"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A tier of the chosen stack. ``cpu_experts`` is for ``--n-cpu-moe``, 0 for none."""

    role: str
    model: CatalogueModel
    context: int
    load: Load
    cpu_experts: int = 0

    @property
    def name(self) -> str:
        """The tier's name."""
        return _NAMES[self.role]


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen tiers, what each set of them takes, and why it is not a larger one."""

    room: Room
    tiers: tuple[Chosen, ...]
    totals: tuple[Total, ...]
    reasons: tuple[str, ...]


def select(room: Room, models: Sequence[CatalogueModel]) -> Selection:
    """The best stack of ``models`` in ``room``.

    Raises:
        LlmstackError: not even the smallest model fits; it says what that one needs.
    """
    usable = [model for model in models if not room.cpu or model.active <= CPU_ACTIVE]
    agents, fasts, plans = (_with(usable, role) for role in ("agent", "fast", "plan"))
    splits = _Splits(room, usable)
    larger: CatalogueModel | None = None
    paired: list[CatalogueModel] = []
    for agent in agents:
        smaller = [fast for fast in fasts if fast.size < agent.size]
        if smaller:
            paired.append(agent)
        if pair := _pair(splits, agent, smaller):
            return _complete(splits, *pair, plans, larger)
        larger = agent
    # One tier alone, but none that a little more memory would take away again.
    alone = agents[max(len(paired) - 1, 0) :]
    for number, agent in enumerate(alone):
        if offers := list(splits.offers(agent, "agent")):
            best = max(offers, key=lambda one: one.context)
            return _complete(splits, None, best, (), alone[number - 1] if number else None)
    raise _nothing(room, alone[-1:])


def _pair(
    splits: _Splits, agent: CatalogueModel, fasts: Iterable[CatalogueModel]
) -> tuple[Chosen, Chosen] | None:
    """The best of all that fit; earlier ones win among equals."""
    large_ones = list(splits.offers(agent, "agent"))
    fitting = [
        (small, large)
        for fast in fasts
        for small in splits.offers(fast, "fast")
        for large in large_ones
        if total_of([small.load, large.load], splits.room).fits
    ]
    return max(fitting, key=lambda pair: _worth(splits.room, *pair), default=None)


def _worth(room: Room, small: Chosen, large: Chosen) -> tuple[int, ...]:
    return (
        _comfortable(room, [small.load, large.load]),
        min(large.context, ENOUGH),
        -large.cpu_experts,
        small.model.size,
        min(small.context, ENOUGH),
        large.context,
        small.context,
    )


def _comfortable(room: Room, loads: list[Load]) -> bool:
    spare = total_of(loads, room).spare
    return spare is None or spare >= COMFORT


def _complete(
    splits: _Splits,
    fast: Chosen | None,
    agent: Chosen,
    plans: Iterable[CatalogueModel],
    larger: CatalogueModel | None,
) -> Selection:
    room = splits.room
    base = [fast.load] if fast else []
    reasons = [_why_not(room, fast, larger, split=splits.can_split(larger))] if larger else []
    plan = _planner(splits, base, plans)
    if plan and plan.model.file == agent.model.file:
        reasons.append("plan: it would be the model of code-smart, which answers for it.")
        plan = None
    tiers = tuple(one for one in (fast, agent, plan) if one)
    totals = [total_of([*base, one.load], room) for one in (agent, plan) if one]
    return Selection(room, tiers, tuple(totals), tuple(reasons))


def _planner(splits: _Splits, base: list[Load], plans: Iterable[CatalogueModel]) -> Chosen | None:
    for model in plans:
        fitting = [
            one
            for one in splits.offers(model, "plan")
            if total_of([*base, one.load], splits.room).fits
        ]
        if fitting:
            return max(
                fitting,
                key=lambda one: (
                    _comfortable(splits.room, [*base, one.load]),
                    one.context,
                    -one.cpu_experts,
                ),
            )
    return None


class _Splits:
    """The ways to run a model in a room.

    Experts stay off the GPU only for the sake of a larger model, not of a finer quantisation: of
    one name that is for the smallest.
    """

    def __init__(self, room: Room, models: Iterable[CatalogueModel]) -> None:
        self.room = room
        smallest: dict[str, CatalogueModel] = {}
        for model in models:
            known = smallest.setdefault(model.name, model)
            if model.size < known.size:
                smallest[model.name] = model
        self._smallest = [model.file for model in smallest.values()]

    def can_split(self, model: CatalogueModel) -> bool:
        """Whether experts of ``model`` may stay off the GPU."""
        beside = self.room.pool == "gpu" and self.room.host is not None
        return beside and model.mixture and model.file in self._smallest

    def offers(self, model: CatalogueModel, role: str) -> Iterator[Chosen]:
        """Contexts, and splits for each of them, with which ``model`` alone fits."""
        most = min(model.most_context, CPU_CONTEXT if self.room.cpu else LADDER[-1])
        for context in LADDER:
            if not model.least_context <= context <= most:
                continue
            for experts in self._counts(model, role):
                parts = _estimate(self.room, model, context, experts)
                load = Load(_NAMES[role], share_of(parts), parts, "catalogue")
                if total_of([load], self.room).fits:
                    yield Chosen(role, model, context, load, experts)

    def _counts(self, model: CatalogueModel, role: str) -> Iterable[int]:
        """Numbers of layers whose experts stay off the GPU."""
        if role == "fast" or not self.can_split(model):
            return (0,)
        layers = model.shape.numbers["block_count"]
        return (*range(0, layers, STEP), layers)


def _estimate(room: Room, model: CatalogueModel, context: int, experts: int) -> Footprint:
    """What a server takes that is started as the profile's models.ini says."""
    name = str(model.file)
    sizing = Sizing(
        model=name,
        context=context,
        key_bytes=TYPE_BYTES["Q8_0"],
        value_bytes=TYPE_BYTES["Q8_0"],
        gpu_layers=0 if room.cpu else None,
        host_tensors=(re.compile(first_experts(experts)),) if experts else (),
    )
    return estimate(sizing, {name: (model.header(),)}, room.pool)


def _with(models: Iterable[CatalogueModel], role: str) -> list[CatalogueModel]:
    """The models for ``role``, the largest first."""
    return sorted((one for one in models if role in one.roles), key=lambda one: -one.size)


def _why_not(room: Room, fast: Chosen | None, larger: CatalogueModel, *, split: bool) -> str:
    """Why the next larger agent was not chosen; ``split`` says whether experts could leave."""
    context = larger.least_context
    parts = _estimate(room, larger, context, 0)
    load = Load("code-smart", share_of(parts), parts, "catalogue")
    total = total_of([fast.load, load] if fast else [load], room)
    beside = " beside code-fast" if fast else ""
    there = f"{shown(room.budget)} are there"
    if room.host and split:
        there = f"{shown(room.budget)} on the GPU and {shown(room.host)} beside it are there"
    elif room.host and larger.mixture:
        there = f"{shown(room.budget)} are on the GPU, and it is not split for finer weights"
    return (
        f"code-smart: {larger.name} {larger.quant} would need "
        f"{shown(total.taken + total.margin)}{beside} at {context} tokens; {there}."
    )


def _nothing(room: Room, smallest: Sequence[CatalogueModel]) -> LlmstackError:
    need = "nothing in the catalogue"
    for model in smallest:
        parts = _estimate(room, model, model.least_context, 0)
        size = parts.total(room.pool) + MARGIN
        need = f"the smallest, {model.name}, takes {shown(size)} at {model.least_context} tokens"
    return LlmstackError(
        f"no model fits into {shown(room.budget)}, what {room.what} has for models",
        why=f"Of all in the catalogue {need}.",
        fix="Be a thin client of a larger machine: llmstack init --external http://HOST:10101",
    )
