"""opencode: the project's ``opencode.json``, which every version of it reads.

``.llmstack/opencode.json`` reaches opencode through the variable OPENCODE_CONFIG, which version 2
did not follow (W13 of the behaviour report). A file in the project does not depend on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmstack.wiring.endpoint import Endpoint, FileEdit, Place, Wiring
from llmstack.wiring.merge import merged_json
from llmstack.wiring.opencode import PROVIDER, READ_ONLY, cost, key_reference


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """Merge provider, models and agents into the file."""
    path = _path(place)
    return Wiring(
        edits=(
            FileEdit(
                path, merged_json(path, place.read(path), settings(endpoint, _key(endpoint, place)))
            ),
        ),
        command="opencode",
        notes=("The variable OPENCODE_CONFIG, which the shell hook sets, stands over this file.",),
    )


def _key(endpoint: Endpoint, place: Place) -> str:
    """Where the key is; in a project that others may have too, as seen from the project."""
    file = Path(endpoint.key_file) if endpoint.key_file else None
    if file and not place.everywhere and file.is_relative_to(place.project):
        return key_reference(f"./{file.relative_to(place.project).as_posix()}", needed=True)
    return key_reference(file.as_posix() if file else "", needed=endpoint.needs_key)


def settings(endpoint: Endpoint, key: str) -> dict[str, Any]:
    """What opencode has to be told; ``key`` is a reference to one."""
    agent: dict[str, Any] = {"build": {"model": f"{PROVIDER}/auto"}}
    if endpoint.planner:
        model = f"{PROVIDER}/{endpoint.planner}"
        agent["plan"] = {"model": model, "permission": dict(READ_ONLY)}
    small = {"small_model": f"{PROVIDER}/{endpoint.small}"} if endpoint.small else {}
    return {
        "$schema": "https://opencode.ai/config.json",
        "provider": {
            PROVIDER: {
                "npm": "@ai-sdk/openai-compatible",
                "name": "llmstack",
                "options": {
                    "baseURL": endpoint.openai,
                    "apiKey": key,
                    "headerTimeout": False,
                    "chunkTimeout": False,
                },
                "models": {
                    model.name: {
                        "name": model.title or model.name,
                        "tool_call": True,
                        "temperature": True,
                        "limit": {"context": model.window, "output": model.output},
                        "cost": cost(model.prices),
                    }
                    for model in endpoint.models
                },
            }
        },
        "model": f"{PROVIDER}/auto",
        **small,
        "agent": agent,
    }


def _path(place: Place) -> Path:
    if place.everywhere:
        return place.home / ".config" / "opencode" / "opencode.json"
    return place.project / "opencode.json"
