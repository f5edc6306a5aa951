"""Hosted tiers and sources of models, as commands show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from llmstack.wiring.shell_prompt import printable, printable_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmstack.config.stack import Channel, Stack


@dataclass(frozen=True, slots=True)
class HostedRow:
    """One tier, or one source (``model`` is then empty): where it is and why it cannot work.

    ``problem`` is empty if nothing speaks against it before it is asked.
    """

    tier: str
    backend: str
    model: str
    place: str
    problem: str


def hosted_rows(stack: Stack, channel: Channel, environ: Mapping[str, str]) -> list[HostedRow]:
    """What ``stack`` has elsewhere; nobody is asked."""
    from llmstack.backends.static_problem import place_of, static_problem

    places = [(tier.name, tier.elsewhere(channel)) for tier in stack.tiers]
    places += [(source.name, source.hosted) for source in stack.sources]
    return [
        HostedRow(
            name, hosted.backend, hosted.model, place_of(hosted), static_problem(hosted, environ)
        )
        for name, hosted in places
        if hosted
    ]


def print_rows(rows: Sequence[HostedRow]) -> None:
    """One line each."""
    for row in rows:
        mark = "[!] " if row.problem else "[OK]"
        what = row.model or "every model there"
        where = f" at {row.place}" if row.place else ""
        line = f"{mark} {row.backend:<14} {'':>10}  {row.tier}: {what}{where}"
        print(printable(line + (f"  {row.problem}" if row.problem else "")))


def print_state(hosted: Any) -> None:
    """The part ``hosted`` of ``/api/status``; what another version left out is not shown."""
    for row in hosted if isinstance(hosted, list) else []:
        if not isinstance(row, dict):
            continue
        where = f"{row.get('backend', '')} {row.get('model', '')}".strip()
        line = f"     {row.get('name', ''):<20} {row.get('state', ''):<9} {where}"
        print(printable(line + _spent(row)))
        if why := row.get("why"):
            again = row.get("retry_in_s")
            later = f" (again in {again:.0f} s)" if _is_number(again) and again else ""
            print(
                f"[!] {printable_text(str(row.get('name', '')))}: {printable_text(str(why))}{later}"
            )


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float))


def _spent(row: Mapping[str, Any]) -> str:
    """What was spent, against the budget if there is one; nothing where nothing is known."""
    parts = []
    for key, period in (("today", "day"), ("month", "month")):
        spent, limit = row.get(f"spent_{key}_usd"), row.get(f"budget_usd_per_{period}")
        if _is_number(limit):
            amount = spent if _is_number(spent) else 0
            parts.append(f"${amount:.2f} of ${limit:.2f} this {period}")
        elif _is_number(spent) and spent:
            parts.append(f"${spent:.2f} this {period}")
    return f"  {', '.join(parts)}" if parts else ""
