"""The records of ``GET /v1/models``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from llmstack.engine import State

if TYPE_CHECKING:
    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine
    from llmstack.routing import Ladder


def records(engine: Engine) -> list[dict[str, Any]]:
    """One record per listed model (and alias, where configured), sorted by id.

    The shape is llama-swap's (its behaviour report, section 3.6).
    """
    created = int(time.time())
    rows = []
    for model in engine.config.models.values():
        if model.unlisted:
            continue
        rows.append(_record(engine, model, model.id, created))
        if engine.config.include_aliases_in_list:
            rows += [_record(engine, model, alias, created) for alias in model.aliases]
    return sorted(rows, key=lambda row: str(row["id"]).encode())


def auto_record(ladder: Ladder) -> dict[str, Any]:
    """The record of ``auto``, which is listed first."""
    return {
        "id": "auto",
        "object": "model",
        "created": 0,
        "owned_by": "llmstack",
        "name": "auto",
        "description": (
            f"Chooses the tier: plan words without tools go to the planner, up to {ladder.high} "
            f"tokens to the best tier, up to {ladder.mid}, with tools or in long conversations to "
            "the agent tier, the rest to the fast one."
        ),
        "tier": "auto",
    }


def _record(engine: Engine, model: SwapModel, name: str, created: int) -> dict[str, Any]:
    loaded = engine.state(model.id) is not State.STOPPED
    about: dict[str, Any] = dict(model.metadata)
    if name == model.id:
        about["type"] = "model"
        if model.aliases:
            about["aliases"] = list(model.aliases)
    else:
        about |= {"type": "alias", "modelID": model.id}
    row: dict[str, Any] = {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "llmstack",
        "status": {"value": "loaded" if loaded else "unloaded"},
        "meta": {"llamaswap": about},
    }
    if model.name.strip():
        row["name"] = model.name.strip()
    if model.description.strip():
        row["description"] = model.description.strip()
    return row
