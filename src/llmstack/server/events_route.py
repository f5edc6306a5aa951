"""``GET /api/events``: what happens, as it happens, in llama-swap's frames."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from llmstack.config.swap import Capabilities
    from llmstack.engine import Engine
    from llmstack.server.activity import Activity

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "connection": "keep-alive",
    "x-content-type-options": "nosniff",
    "x-accel-buffering": "no",
}


async def answer_events(activity: Activity, request: Request) -> Response:
    """The present state, then every change, until either side ends it."""
    if request.method == "HEAD":
        return Response(headers=HEADERS)
    wanted = request.query_params.get("overview") in ("1", "true")
    return StreamingResponse(_frames(activity, overview=wanted), headers=HEADERS)


async def _frames(activity: Activity, *, overview: bool) -> AsyncIterator[bytes]:
    if activity.retired:
        return
    with ExitStack() as stack:
        client = activity.events.subscribe(activity.initial(), activity.state)
        stack.enter_context(client)
        if overview:
            stack.enter_context(activity.overviews.following(client))
        async for frames in client:
            yield frames


def model_status(engine: Engine) -> list[dict[str, Any]]:
    """Every local model by id, then every peer's models: llama-swap's ``modelStatus``."""
    states = {status.id: str(status.state) for status in engine.status()}
    config = engine.config
    rows: list[dict[str, Any]] = []
    for model in sorted(config.models.values(), key=lambda model: model.id.encode()):
        row: dict[str, Any] = {
            "id": model.id,
            "name": model.name,
            "description": model.description,
            "state": states.get(model.id, "stopped"),
            "unlisted": model.unlisted,
            "peerID": "",
        }
        if model.aliases:
            row["aliases"] = list(model.aliases)
        if model.capabilities:
            flags = capability_flags(model.capabilities)
            if flags:
                row["capabilities"] = flags
            if model.capabilities.context > 0:
                row["context_length"] = model.capabilities.context
        rows.append(row)
    for name, peer in sorted(config.peers.items()):
        rows += [
            {
                "id": f"{name}/{model}",
                "name": "",
                "description": "",
                "state": "",
                "unlisted": False,
                "peerID": name,
            }
            for model in sorted(peer.models)
        ]
    return rows


def capability_flags(about: Capabilities) -> dict[str, bool]:
    """What a model can do: only what is true (behaviour report, section 3.6)."""
    takes, gives = set(about.inputs), set(about.outputs)
    flags = {
        "vision": "image" in takes,
        "audio_transcriptions": "audio" in takes and "text" in gives,
        "audio_speech": "text" in takes and "audio" in gives,
        "image_generation": "text" in takes and "image" in gives,
        "image_to_image": "image" in takes and "image" in gives,
        "function_calling": about.tools,
        "reranker": about.reranker,
    }
    return {name: True for name, true in flags.items() if true}
