"""Zed: a provider in the user's own settings; a project's settings cannot name one."""

from __future__ import annotations

from llmstack.errors import LlmstackError
from llmstack.wiring.endpoint import Endpoint, FileEdit, Place, Wiring
from llmstack.wiring.merge import merged_json


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """Merge the provider into ``settings.json``; Zed reads it again by itself."""
    path = place.home / ".config" / "zed" / "settings.json"
    if not place.everywhere:
        raise LlmstackError(
            "Zed takes language models from the user's own settings only",
            fix=f"To have {path} edited: llmstack connect zed --global",
        )
    models = [
        {
            "name": model.name,
            "display_name": f"llmstack {model.name}",
            "max_tokens": model.window,
            "max_output_tokens": model.output,
            "capabilities": {
                "tools": True,
                "images": False,
                "parallel_tool_calls": False,
                "prompt_cache_key": False,
            },
        }
        for model in endpoint.models
    ]
    provider = {"llmstack": {"api_url": endpoint.openai, "available_models": models}}
    ours = {"language_models": {"openai_compatible": provider}}
    return Wiring(
        edits=(FileEdit(path, merged_json(path, place.read(path), ours)),),
        command="zed",
        notes=("Zed asks for a key of the provider llmstack; without keys any text will do.",),
    )
