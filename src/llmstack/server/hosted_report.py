"""What ``GET /api/status`` says of models that others host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.backends.upstreams import Upstreams

#: Names here, and in ``Activity.spending``.
_SPENT = {
    "spent_today_usd": "today_usd",
    "spent_month_usd": "month_usd",
    "budget_usd_per_day": "budget_usd_per_day",
    "budget_usd_per_month": "budget_usd_per_month",
    "over": "over",
}


def hosted_report(
    upstreams: Upstreams, spending: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row per hosted tier: where it is, how it is, what it has cost and may cost."""
    rows = []
    for tier, health in upstreams.health().items():
        hosted = upstreams.hosted(tier)
        assert hosted is not None
        row: dict[str, Any] = {
            "name": tier,
            "backend": hosted.backend,
            "model": hosted.model,
            "where": hosted.base_url or hosted.endpoint_url or hosted.region,
            "state": health.state,
            "why": health.why,
            "retry_in_s": round(health.retry_in, 1),
            "fallback": list(upstreams.tiers[tier].fallback),
        }
        spent = spending.get(tier, {})
        row |= {name: spent[known] for name, known in _SPENT.items() if known in spent}
        rows.append(row)
    return rows


def sources_report(upstreams: Upstreams) -> list[dict[str, Any]]:
    """One row per source of models: how many it is known to have, or why it tells none.

    ``models`` is None until its first answer. An Ollama that nobody named and that is not there is
    no news.
    """
    rows = []
    for name, offers in upstreams.found().items():
        hosted = upstreams.hosted(name)
        unnamed = hosted is not None and hosted.backend == "ollama" and not hosted.base_url
        if unnamed and upstreams.discovery.problem(name):
            continue
        rows.append(
            {
                "name": name,
                "backend": hosted.backend if hosted else "",
                "where": hosted.base_url if hosted else "",
                "models": len(offers) if upstreams.discovery.asked(name) else None,
                "problem": upstreams.discovery.problem(name),
            }
        )
    return rows


def hosted_status(upstreams: Upstreams) -> list[dict[str, Any]]:
    """The entries of the event ``modelStatus`` for hosted tiers and found models.

    Members beyond llama-swap's: ``provider`` is the backend, ``external`` says that nothing can be
    loaded or changed here, ``ctxReference`` is the context window in tokens, 0 if unknown.
    """
    rows = []
    for tier, health in upstreams.health().items():
        hosted, about = upstreams.hosted(tier), upstreams.tiers[tier]
        backend = hosted.backend if hosted else ""
        row = _status(tier, tier, backend, about.description, about.ctx_size)
        rows.append({**row, "state": health.state, "aliases": list(about.aliases)})
    for source, offers in sorted(upstreams.found().items()):
        hosted = upstreams.hosted(source)
        backend = hosted.backend if hosted else ""
        rows += [
            _status(f"{source}/{offer.name}", source, backend, offer.description, offer.context)
            for offer in offers
        ]
    return rows


def _status(name: str, peer: str, provider: str, description: str, context: int) -> dict[str, Any]:
    return {
        "id": name,
        "name": "",
        "description": description,
        "state": "",
        "unlisted": False,
        "peerID": peer,
        "provider": provider,
        "external": True,
        "ctxReference": context,
    }
