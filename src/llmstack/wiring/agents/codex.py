"""Codex: a provider that speaks the Responses API; it no longer speaks another."""

from __future__ import annotations

import json
import shlex

from llmstack.wiring.endpoint import Endpoint, FileEdit, Place, Wiring
from llmstack.wiring.merge import with_block, without_block

_PROVIDER = "llmstack"


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """A profile in the user's own ``config.toml``, else options to start it with."""
    if not place.everywhere:
        return Wiring(
            command=shlex.join(["codex", *_options(endpoint)]),
            notes=("To have it as a profile of your own: llmstack connect codex --global",),
        )
    path = place.home / ".codex" / "config.toml"
    block = "\n".join(
        (
            f"[model_providers.{_PROVIDER}]",
            *(f"{key} = {value}" for key, value in _provider(endpoint)),
            "",
            f"[profiles.{_PROVIDER}]",
            f'model_provider = "{_PROVIDER}"',
            'model = "auto"',
            f"model_context_window = {endpoint.auto.window}",
            f"model_max_output_tokens = {endpoint.auto.output}",
        )
    )
    text = with_block(without_block(place.read(path) or ""), block)
    return Wiring(edits=(FileEdit(path, text),), command=f"codex --profile {_PROVIDER}")


def _provider(endpoint: Endpoint) -> list[tuple[str, str]]:
    values = [
        ("name", _quoted("llmstack")),
        ("base_url", _quoted(endpoint.openai)),
        ("wire_api", _quoted("responses")),
    ]
    if endpoint.needs_key:
        values.append(("env_key", _quoted("LLMSTACK_API_KEY")))
    return values


def _options(endpoint: Endpoint) -> list[str]:
    settings = [
        ("model_provider", _quoted(_PROVIDER)),
        *((f"model_providers.{_PROVIDER}.{key}", value) for key, value in _provider(endpoint)),
        ("model", _quoted("auto")),
        ("model_context_window", str(endpoint.auto.window)),
    ]
    return [word for key, value in settings for word in ("-c", f"{key}={value}")]


def _quoted(text: str) -> str:
    """A basic string of TOML; JSON's are a subset of them."""
    return json.dumps(text)
