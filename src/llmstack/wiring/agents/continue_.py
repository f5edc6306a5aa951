"""Continue: an assistant file of its own; the editor's and ``cn``'s alike."""

from __future__ import annotations

import yaml

from llmstack.errors import LlmstackError
from llmstack.wiring.endpoint import NO_KEY, Endpoint, FileEdit, Place, Wiring


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """Write the file; Continue's own ``config.yaml`` is left alone."""
    if place.everywhere:
        path = place.home / ".continue" / "assistants" / "llmstack.yaml"
    else:
        path = place.project / ".continue" / "assistants" / "llmstack.yaml"
    there = place.read(path)
    if there is not None and "name: llmstack" not in there:
        raise LlmstackError(f"{path} is not ours", fix="Rename it, then try again.")
    assistant = {
        "name": "llmstack",
        "version": "1.0.0",
        "schema": "v1",
        "models": [
            {
                "name": f"llmstack {model.name}",
                "provider": "openai",
                "model": model.name,
                "apiBase": endpoint.openai,
                "apiKey": "${{ secrets.LLMSTACK_API_KEY }}" if endpoint.needs_key else NO_KEY,
                "roles": _roles(model.name, endpoint),
                "capabilities": ["tool_use"],
                "defaultCompletionOptions": {
                    "contextLength": model.window,
                    "maxTokens": model.output,
                },
            }
            for model in endpoint.models
        ],
    }
    text = yaml.safe_dump(assistant, sort_keys=False, allow_unicode=True)
    return Wiring(edits=(FileEdit(path, text),), command=f"cn --config {path}")


def _roles(name: str, endpoint: Endpoint) -> list[str]:
    if name == endpoint.small:
        return ["chat", "autocomplete", "summarize"]
    return ["chat", "edit", "apply"]
