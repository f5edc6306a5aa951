"""A profile of hardware → the ``models.ini`` whose tiers fit together in its memory."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from llmstack.config.profile_ini import Section, profile_ini, with_arithmetic
from llmstack.config.stack_loader import parse_stack
from llmstack.config.templates import default_ini
from llmstack.hub.catalogue import catalogue
from llmstack.residency.arithmetic import plain
from llmstack.residency.prompt_cache import limits_for
from llmstack.residency.selection import select
from llmstack.server.fit import Headers, fit_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.residency.room import Load, Room, Total
    from llmstack.residency.selection import Chosen, Selection

#: The profile that the shipped file is for, whatever else would fit.
SHIPPED = "64gb"

_REMARKS = {
    "fast": "Small and always loaded: titles, completion and other quick answers.",
    "agent": "The coding agent.",
    "plan": "Design, review and explanation; when needed it takes the place of code-smart.",
}
_LABELS = {"fast": "code", "agent": "code", "plan": "plan"}
_WIDTH = 97
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class ProfileIni:
    """The text, and the arithmetic and the remarks that stand in it as comments."""

    text: str
    room: Room
    loads: tuple[Load, ...]
    totals: tuple[Total, ...]
    remarks: tuple[str, ...] = ()


def make_profile(profile: str, room: Room) -> ProfileIni:
    """The models.ini of ``profile`` for ``room``.

    Raises:
        LlmstackError: no model fits.
    """
    if profile == SHIPPED:
        return _shipped(profile, room)
    selection = select(room, catalogue())
    shipped = _shipped(profile, room)
    if not room.cpu and _agent(selection) in shipped.text and all(t.fits for t in shipped.totals):
        return shipped
    limits = limits_for(selection.totals)
    loads = tuple(chosen.load for chosen in selection.tiers)
    lines = [*plain(loads, selection.totals, room), *_reasons(selection.reasons)]
    text = profile_ini(
        profile,
        lines,
        [_section(one, limits.get(one.name)) for one in selection.tiers],
        cpu=room.cpu,
        window=next(one.context for one in selection.tiers if one.role == "agent"),
    )
    return ProfileIni(text, room, loads, selection.totals, selection.reasons)


def _shipped(profile: str, room: Room) -> ProfileIni:
    ini = default_ini()
    fit = fit_stack(parse_stack(ini, "models.ini").stack, "current", room, Headers(here=False))
    lines = [*plain(fit.loads, fit.totals, room), *_reasons(fit.notes)]
    text = with_arithmetic(ini, profile, lines)
    return ProfileIni(text, room, fit.loads, fit.totals, fit.notes)


def _agent(selection: Selection) -> str:
    """The line that names the agent's file."""
    agent = next(one for one in selection.tiers if one.role == "agent")
    return f"\nhf_file = {agent.model.file.name}\n"


def _reasons(reasons: tuple[str, ...]) -> Iterator[str]:
    for reason in reasons:
        yield ""
        yield from wrap(reason, _WIDTH)


def _section(chosen: Chosen, cache: int | None) -> Section:
    """The tier, its remembered prompts limited to ``cache`` bytes if that is not None."""
    model = chosen.model
    native = model.shape.numbers["context_length"]
    words = [f"--n-cpu-moe {chosen.cpu_experts}"] if chosen.cpu_experts else []
    words += [] if cache is None else [f"--cache-ram {cache >> 20}"]
    entries = (
        ("tier", _LABELS[chosen.role]),
        ("role", chosen.role),
        ("description", model.name),
        ("hf_repo", model.file.repo),
        ("hf_file", model.file.name),
        ("ctx_size", str(chosen.context)),
        ("rope_scaling", model.rope if chosen.context > native else ""),
        ("sampler", model.sampler),
        ("extra_args", " ".join(words)),
        ("size_gb", f"{model.size / _GIB:.1f}"),
        ("quant", model.quant),
    )
    remarks = (_REMARKS[chosen.role], f"Licence: {model.licence}")
    return Section(remarks, chosen.name, tuple(entry for entry in entries if entry[1]))
