"""Groups, matrix and scheduler of a llama-swap configuration, in their old and new places."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.config.macros import dotted
from llmstack.config.problems import nearest
from llmstack.config.swap import Group, Matrix, MatrixSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.config.swap_fields import Section

#: The group of all models that are in no other group.
DEFAULT_GROUP = "(default)"

_VAR = re.compile(r"[A-Za-z0-9.-]{1,32}")
_GROUP_KEYS = ("swap", "exclusive", "persistent", "members")
_MATRIX_KEYS = ("vars", "evict_costs", "sets")


@dataclass(frozen=True, slots=True)
class RoutingPlan:
    """What decides over swaps: either groups or a matrix, and the queue's priorities."""

    groups: tuple[Group, ...] = ()
    matrix: Matrix | None = None
    priorities: Mapping[str, int] = field(default_factory=dict)


def read_routing(top: Section, models: Mapping[str, SwapModel]) -> RoutingPlan:
    """Read ``groups``, ``matrix`` and ``routing`` of the top level."""
    routing = top.section("routing")
    routing.check_keys(("scheduler", "router"))
    router = routing.section("router")
    router.check_keys(("use", "settings"))
    settings = router.section("settings")
    settings.check_keys(("groups", "matrix"))
    legacy = [key for key in ("groups", "matrix") if key in top]
    priorities = _read_priorities(routing.section("scheduler"), models)
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
        matrix = _read_matrix(place.section("matrix"), models)
        return RoutingPlan(matrix=matrix, priorities=priorities)
    groups = _read_groups(place.section("groups"), models)
    return RoutingPlan(groups=groups, priorities=priorities)


def _chosen_router(router: Section, settings: Section) -> str:
    use = router.text("use", "group")
    report = router.report
    if use not in {"group", "matrix"}:
        message = f'routing.router.use: unknown router "{use}" (valid: group, matrix)'
        report.error(router.at("use"), message, nearest(use, ("group", "matrix")))
        return "groups"
    if use == "matrix" and "matrix" not in settings:
        message = "routing.router.use is 'matrix' but routing.router.settings.matrix is not set"
        report.error(router.at("use"), message, "Write the matrix, or 'use: group'.")
        return "groups"
    unused = "groups" if use == "matrix" else "matrix"
    if unused in settings:
        message = f"routing.router.settings.{unused} is ignored while routing.router.use is {use}"
        report.warning(settings.at(unused), message)
    return "matrix" if use == "matrix" else "groups"


def _read_priorities(scheduler: Section, models: Mapping[str, SwapModel]) -> Mapping[str, int]:
    scheduler.check_keys(("use", "settings"))
    settings = scheduler.section("settings")
    settings.check_keys(("fifo",))
    fifo = settings.section("fifo")
    fifo.check_keys(("priority",))
    use = scheduler.text("use", "fifo")
    if use != "fifo":
        message = f'routing.scheduler.use: unknown scheduler "{use}" (valid: fifo)'
        scheduler.report.error(scheduler.at("use"), message, "Write fifo.")
    section = fifo.section("priority")
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
            priorities[model_id] = section.integer(name, 0)
    return MappingProxyType(priorities)


def _read_groups(section: Section, models: Mapping[str, SwapModel]) -> tuple[Group, ...]:
    groups = []
    owner: dict[str, str] = {}
    for group_id in section.names():
        if group_id == DEFAULT_GROUP:
            message = f"the group name {DEFAULT_GROUP} is taken, so this group is ignored"
            section.report.warning(section.at(group_id), message, "Give it another name.")
            continue
        body = section.section(group_id)
        body.check_keys(_GROUP_KEYS)
        groups.append(
            Group(
                id=group_id,
                members=_read_members(body, group_id, owner, models),
                swap=body.boolean("swap", default=True),
                exclusive=body.boolean("exclusive", default=True),
                persistent=body.boolean("persistent"),
                line=section.report.line(body.path),
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
    section.check_keys(_MATRIX_KEYS)
    matrix_vars = _read_vars(section.section("vars"), models)
    costs = _read_costs(section.section("evict_costs"), matrix_vars, models)
    sets = section.section("sets")
    expressions = []
    for name in sets.names():
        text = sets.text(name)
        if not text.strip():
            message = f'matrix: set "{name}": empty expression'
            sets.report.error(sets.at(name), message, "Write model names joined by & and |.")
            continue
        expressions.append(MatrixSet(name, text, sets.report.line(sets.at(name))))
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
