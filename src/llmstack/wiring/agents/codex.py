"""Codex: a provider that speaks the Responses API; it no longer speaks another."""

from __future__ import annotations

import json
import shlex

from llmstack.wiring.endpoint import Endpoint, FileEdit, Place, Wiring
from llmstack.wiring.merge import with_block

_PROVIDER = "llmstack"


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """A profile, which is a file of its own among the user's, else options to start it with.

    Since Codex 0.134 a profile is ``NAME.config.toml``, which lies over ``config.toml``; it refuses
    to start when a table of ``config.toml`` has the profile's name.
    Source: "Profiles" on https://developers.openai.com/codex/config-advanced.
    """
    if not place.everywhere:
        return Wiring(
            command=shlex.join(["codex", *_options(endpoint)]),
            notes=("To have it as a profile of your own: llmstack connect codex --global",),
        )
    path = place.home / ".codex" / f"{_PROVIDER}.config.toml"
    lines = (
        f'model_provider = "{_PROVIDER}"',
        'model = "auto"',
        f"model_context_window = {endpoint.auto.window}",
        f"model_max_output_tokens = {endpoint.auto.output}",
        "",
        f"[model_providers.{_PROVIDER}]",
        *(f"{key} = {value}" for key, value in _provider(endpoint)),
    )
    text = with_block("", "\n".join(lines))
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
