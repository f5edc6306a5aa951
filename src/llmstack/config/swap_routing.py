"""Groups, matrix and scheduler of a llama-swap configuration, in their old and new places."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.config.macros import dotted
from llmstack.config.problems import nearest
from llmstack.config.swap import Group, Matrix, MatrixSet, MemoryPlan
from llmstack.config.swap_tables import ROUTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.config.swap_fields import Section

#: The group of all models that are in no other group.
DEFAULT_GROUP = "(default)"

_VAR = re.compile(r"[A-Za-z0-9.-]{1,32}")
#: Where the settings of each router are.
_SETTINGS = {"group": "groups", "matrix": "matrix", "memory": "memory"}


@dataclass(frozen=True, slots=True)
class Queue:
    """Who is served first, and the bounds of waiting in seconds; see ``SwapConfig``."""

    priorities: Mapping[str, int] = field(default_factory=dict)
    min_residency: int = 2
    max_wait: int = 120
    queue_timeout: int = 0


@dataclass(frozen=True, slots=True)
class RoutingPlan:
    """What decides over swaps: groups, a matrix or memory; and the queue."""

    queue: Queue
    groups: tuple[Group, ...] = ()
    matrix: Matrix | None = None
    memory: MemoryPlan | None = None


def read_routing(top: Section, models: Mapping[str, SwapModel]) -> RoutingPlan:
    """Read ``groups``, ``matrix`` and ``routing`` of the top level."""
    routing = top.section("routing")
    router = routing.section("router")
    settings = router.section("settings")
    legacy = [key for key in ("groups", "matrix") if key in top]
    queue = _read_queue(routing.section("scheduler"), models)
    if legacy and "router" in routing:
        message = f"config cannot use both top-level {legacy[0]!r} and 'routing.router'"
        fix = f"Move {legacy[0]} to routing.router.settings.{legacy[0]}."
        top.report.error(top.at(legacy[0]), message, fix)
    if legacy == ["groups", "matrix"]:
        message = "config cannot use both 'groups' and 'matrix'"
        top.report.error(top.at("matrix"), message, "Keep one of them.")
    chosen = legacy[0] if legacy else _chosen_router(router, settings)
    place = top if legacy else settings
    if chosen == "matrix":
        return RoutingPlan(queue, matrix=_read_matrix(place.section("matrix"), models))
    if chosen == "memory":
        return RoutingPlan(queue, memory=_read_memory(settings.section("memory"), models))
    return RoutingPlan(queue, groups=_read_groups(place, models))


def _chosen_router(router: Section, settings: Section) -> str:
    """The key of the settings that count."""
    use = router.text("use")
    report = router.report
    if use not in ROUTERS:
        message = f'routing.router.use: unknown router "{use}" (valid: {", ".join(ROUTERS)})'
        report.error(router.at("use"), message, nearest(use, ROUTERS))
        return "groups"
    if use == "matrix" and "matrix" not in settings:
        message = "routing.router.use is 'matrix' but routing.router.settings.matrix is not set"
        report.error(router.at("use"), message, "Write the matrix, or 'use: group'.")
        return "groups"
    for name, unused in _SETTINGS.items():
        if unused in settings and name != use:
            where = f"routing.router.settings.{unused}"
            message = f"{where} is ignored while routing.router.use is {use}"
            report.warning(settings.at(unused), message)
    return _SETTINGS[use]


def _read_queue(scheduler: Section, models: Mapping[str, SwapModel]) -> Queue:
    fifo = scheduler.section("settings").section("fifo")
    use = scheduler.text("use")
    if use != "fifo":
        message = f'routing.scheduler.use: unknown scheduler "{use}" (valid: fifo)'
        scheduler.report.error(scheduler.at("use"), message, "Write fifo.")
    section = fifo.entries("priority", "integer map")
    priorities: dict[str, int] = {}
    for name in section.names():
        model_id = resolve(name, models)
        if model_id is None:
            message = f'{dotted(section.path)} references unknown model "{name}"'
            section.report.error(section.at(name), message, _known(name, models))
        elif model_id in priorities:
            message = f'model "{model_id}" has more than one priority, the first one counts'
            section.report.warning(section.at(name), message, "Keep one of them.")
        else:
            priorities[model_id] = section.integer(name)
    queue = Queue(
        MappingProxyType(priorities),
        min_residency=fifo.seconds("minResidency"),
        max_wait=fifo.seconds("maxWait"),
        queue_timeout=fifo.seconds("queueTimeout"),
    )
    if 0 < queue.max_wait < queue.min_residency:
        message = f"{fifo.label('maxWait')} is {queue.max_wait}, less than minResidency"
        fix = f"Write {queue.min_residency} or more, or lower minResidency."
        at = "maxWait" if "maxWait" in fifo else "minResidency"
        fifo.report.error(fifo.at(at), message, fix)
    return queue


def _read_memory(section: Section, models: Mapping[str, SwapModel]) -> MemoryPlan:
    pinned: dict[str, None] = {}
    for index, name in enumerate(section.texts("pinned")):
        model_id = resolve(name, models)
        if model_id is None:
            message = f'{section.label("pinned")} references unknown model "{name}"'
            section.report.error((*section.at("pinned"), index), message, _known(name, models))
        else:
            pinned[model_id] = None
    budget = section.size("budget")
    if budget is not None and "margin" in section:
        message = f"{section.label('margin')} has no effect with a fixed budget"
        section.report.warning(section.at("margin"), message, "Remove it, or write budget: auto.")
    if budget == 0:
        message = f"{section.label('budget')} must be more than 0"
        section.report.error(section.at("budget"), message, "Write 24GiB, say, or auto.")
    if budget:
        _check_sizes(section, models, budget, pinned)
    return MemoryPlan(budget=budget, margin=section.size("margin") or 0, pinned=tuple(pinned))


def _check_sizes(
    section: Section, models: Mapping[str, SwapModel], budget: int, pinned: Iterable[str]
) -> None:
    """Declared sizes that no swap could make fit."""
    for model in models.values():
        if model.memory and model.memory > budget:
            path = ("models", model.id, "memory")
            message = f"model {model.id} takes {model.memory} bytes, more than the whole budget"
            section.report.error(path, f"{message} of {budget}", "Raise the budget.")
    together = sum(models[model].memory or 0 for model in pinned)
    if together > budget:
        message = f"the pinned models take {together} bytes, more than the budget of {budget}"
        section.report.error(section.at("pinned"), message, "Pin fewer, or raise the budget.")


def _read_groups(place: Section, models: Mapping[str, SwapModel]) -> tuple[Group, ...]:
    groups = []
    owner: dict[str, str] = {}
    for group_id, body in place.sections("groups").items():
        if group_id == DEFAULT_GROUP:
            message = f"the group name {DEFAULT_GROUP} is taken, so this group is ignored"
            body.report.warning(body.path, message, "Give it another name.")
            continue
        groups.append(
            Group(
                id=group_id,
                members=_read_members(body, group_id, owner, models),
                swap=body.boolean("swap"),
                exclusive=body.boolean("exclusive"),
                persistent=body.boolean("persistent"),
                line=body.report.line(body.path),
            )
        )
    return tuple(groups)


def _read_members(
    body: Section, group_id: str, owner: dict[str, str], models: Mapping[str, SwapModel]
) -> tuple[str, ...]:
    members: list[str] = []
    for index, member in enumerate(body.texts("members")):
        path = (*body.at("members"), index)
        if member in members:
            message = f"duplicate model member {member} found in group: {group_id}"
            body.report.error(path, message, "Remove one of them.")
        elif member in owner:
            message = f"model member {member} is used in multiple groups: "
            body.report.error(path, f"{message}{owner[member]} and {group_id}", "Keep it in one.")
        elif member in models:
            members.append(member)
            owner[member] = group_id
        elif (real := resolve(member, models)) is not None:
            message = f'group "{group_id}" names model "{real}" by its alias "{member}"'
            body.report.error(path, message, f"Write {real}.")
        else:
            message = f'no model config for "{member}" in group "{group_id}"'
            body.report.error(path, message, _known(member, models))
    return tuple(members)


def _read_matrix(section: Section, models: Mapping[str, SwapModel]) -> Matrix:
    matrix_vars = _read_vars(section.entries("vars", "text map"), models)
    costs = _read_costs(section.entries("evict_costs", "integer map"), matrix_vars, models)
    sets = section.entries("sets", "text map")
    expressions = []
    for name in sets.names():
        text = sets.text(name)
        if not text.strip():
            message = f'matrix: set "{name}": empty expression'
            sets.report.error(sets.at(name), message, "Write model names joined by & and |.")
            continue
        place = sets.report.place(sets.at(name))
        expressions.append(MatrixSet(name, text, place.line, place.file))
    if not sets.names():
        message = "matrix: matrix must define at least one set"
        section.report.error(section.path, message, "Write 'name: a & b' under sets.")
    return Matrix(
        vars=MappingProxyType(matrix_vars),
        evict_costs=MappingProxyType(costs),
        sets=tuple(expressions),
        line=section.report.line(section.path),
    )


def _read_vars(section: Section, models: Mapping[str, SwapModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in section.names():
        model_id = section.text(key)
        if not _VAR.fullmatch(key):
            message = (
                f"matrix: var key \"{key}\" must contain only alphanumeric, '-' or '.' "
                "characters and be 1-32 characters long"
            )
            section.report.error(section.at(key), message)
        elif model_id in models:
            found[key] = model_id
        else:
            message = f'matrix: var key "{key}" references unknown model "{model_id}"'
            real = resolve(model_id, models)
            fix = _known(model_id, models) if real is None else f"Write {real}, not its alias."
            section.report.error(section.at(key), message, fix)
    return found


def _read_costs(
    section: Section, matrix_vars: Mapping[str, str], models: Mapping[str, SwapModel]
) -> dict[str, int]:
    costs: dict[str, int] = {}
    by_model: dict[str, str] = {}
    for key in section.names():
        cost = section.integer(key, 1)
        model_id = matrix_vars.get(key, key)
        path = section.at(key)
        if cost < 1:
            message = f'matrix: evict_cost for "{key}" must be a positive integer, got {cost}'
            section.report.error(path, message, "Write 1 or more.")
        elif model_id not in models:
            message = f'matrix: evict_costs: unknown var or model "{key}"'
            section.report.error(path, message, nearest(key, [*matrix_vars, *models]))
        elif model_id in by_model and costs[by_model[model_id]] != cost:
            other = by_model[model_id]
            message = f'matrix: evict_costs: "{key}" and "{other}" are the same model'
            section.report.error(path, message, "Keep one of them.")
        else:
            by_model.setdefault(model_id, key)
            costs[key] = cost
    return costs


def resolve(name: str, models: Mapping[str, SwapModel]) -> str | None:
    """The model id that ``name`` stands for; ids win over aliases."""
    if name in models:
        return name
    return next((model.id for model in models.values() if name in model.aliases), None)


def _known(name: str, models: Mapping[str, SwapModel]) -> str:
    return nearest(name, models) or "Write the id of a model under models."
