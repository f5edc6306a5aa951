"""Hosted tiers and sources of models, as commands show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from llmstack.wiring.shell_prompt import printable, printable_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    for row in _rows(hosted):
        name = str(row.get("name", ""))
        where = f"{row.get('backend', '')} {row.get('model', '')}".strip()
        line = f"     {name:<20} {row.get('state', ''):<9} {where}"
        print(printable(line + _spent(row)))
        if why := " ".join(str(row.get("why") or "").split()):
            again = row.get("retry_in_s")
            later = f" (again in {again:.0f} s)" if _is_number(again) and again else ""
            about = "" if why.startswith((name, f"[{name}]")) else f"{name}: "
            print(f"[!] {printable_text(about + why + later)}")
        if over := row.get("over"):
            print(f"[!] {printable_text(f'{name}: {over} is spent, and auto passes it over')}")


def print_sources(sources: Any) -> None:
    """The part ``sources`` of ``/api/status``."""
    for row in _rows(sources):
        count = row.get("models")
        place = f"{row.get('backend', '')} {row.get('where', '')}".strip()
        offers = f"{row.get('name', '')}/..."
        # None before the first answer, for which nobody waits.
        models = "1 model" if count == 1 else "asked" if count is None else f"{count} models"
        print(printable(f"     {offers:<20} {models:<9} {place}"))
        if problem := " ".join(str(row.get("problem") or "").split()):
            about = f"{row.get('name', '')}: {problem}"
            print(f"[!] {printable_text(about)}")


def _rows(part: Any) -> Iterator[Mapping[str, Any]]:
    for row in part if isinstance(part, list) else []:
        if isinstance(row, dict) and row:
            yield row


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float))


def _spent(row: Mapping[str, Any]) -> str:
    """What was spent, against the budget if there is one; nothing where nothing is known."""
    parts = []
    for key, period in (("today", "day"), ("month", "month")):
        spent, limit = row.get(f"spent_{key}_usd"), row.get(f"budget_usd_per_{period}")
        if _is_number(limit):
            amount = spent if _is_number(spent) else 0
            parts.append(f"{_dollars(amount)} of {_dollars(limit)} this {period}")
        elif _is_number(spent) and spent:
            parts.append(f"{_dollars(spent)} this {period}")
    return f"  {', '.join(parts)}" if parts else ""


def _dollars(amount: float) -> str:
    """Whole cents, and of less than a cent what there is of it."""
    return f"${amount:.4f}" if 0 < amount < 0.01 else f"${amount:.2f}"
