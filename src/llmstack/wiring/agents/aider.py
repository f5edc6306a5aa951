"""aider: its YAML file, and the windows in the JSON file beside it."""

from __future__ import annotations

from llmstack.wiring.endpoint import NO_KEY, Endpoint, FileEdit, Place, Wiring
from llmstack.wiring.merge import marked_block, merged_json

#: Prices are for this many tokens.
MILLION = 1_000_000


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """Model and address, and how many tokens each model takes."""
    folder = place.home if place.everywhere else place.project
    config = folder / ".aider.conf.yml"
    metadata = folder / ".aider.model.metadata.json"
    settings = {"model": "openai/auto", "openai-api-base": endpoint.openai}
    if endpoint.small:
        settings["weak-model"] = f"openai/{endpoint.small}"
    if not endpoint.needs_key:
        settings["openai-api-key"] = NO_KEY
    windows = {
        f"openai/{model.name}": {
            "max_tokens": model.output,
            "max_input_tokens": model.window,
            "max_output_tokens": model.output,
            "input_cost_per_token": (model.prices.input or 0) / MILLION,
            "output_cost_per_token": (model.prices.output or 0) / MILLION,
            "litellm_provider": "openai",
            "mode": "chat",
        }
        for model in endpoint.models
    }
    return Wiring(
        edits=(
            FileEdit(config, marked_block(config, place.read(config), settings)),
            FileEdit(metadata, merged_json(metadata, place.read(metadata), windows)),
        ),
        command="aider",
        notes=('Set the key: export OPENAI_API_KEY="$LLMSTACK_API_KEY"',)
        if endpoint.needs_key
        else (),
    )
