"""Claude Code: its settings file, which sets variables for every session in the project."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from llmstack.wiring.endpoint import NO_KEY, Endpoint, FileEdit, Place, Wiring
from llmstack.wiring.merge import merged_json


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """Merge the variables into ``settings.local.json``, which is not committed."""
    folder = (place.home if place.everywhere else place.project) / ".claude"
    path = folder / ("settings.json" if place.everywhere else "settings.local.json")
    notes = [f"It is told a window of {endpoint.auto.window} tokens and compacts before that."]
    told: dict[str, Any] = {"env": variables(endpoint)}
    there = place.read(path)
    if endpoint.needs_key and endpoint.key_file and os.name == "posix":
        told["apiKeyHelper"] = f"cat {shlex.quote(endpoint.key_file)}"
        there = _without_placeholder(there)
    elif endpoint.needs_key:
        notes.append(
            'Set the key where you start it: export ANTHROPIC_AUTH_TOKEN="$LLMSTACK_API_KEY"'
        )
    text = merged_json(path, there, told)
    return Wiring(edits=(FileEdit(path, text),), command="claude", notes=tuple(notes))


def _without_placeholder(text: str | None) -> str | None:
    """Without the token that an earlier wiring set for a stack without keys; it would win."""
    try:
        there = json.loads(text or "")
        if there["env"]["ANTHROPIC_AUTH_TOKEN"] != NO_KEY:
            return text
    except (ValueError, KeyError, TypeError):
        return text
    del there["env"]["ANTHROPIC_AUTH_TOKEN"]
    return json.dumps(there, indent=2, ensure_ascii=False) + "\n"


def variables(endpoint: Endpoint) -> dict[str, Any]:
    """The variables that Claude Code follows.

    The attribution header changes with every request and stands at the front of the prompt: with
    it no prompt is ever found in the model server's cache. Long prompts are silent while they are
    read, hence the time limit.
    """
    small = endpoint.small or "auto"
    environ = {
        "ANTHROPIC_BASE_URL": endpoint.base,
        "ANTHROPIC_MODEL": "auto",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": endpoint.planner or "auto",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "auto",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": small,
        "ANTHROPIC_SMALL_FAST_MODEL": small,
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(endpoint.auto.output),
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(endpoint.auto.window),
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "API_TIMEOUT_MS": "3000000",
    }
    if not endpoint.needs_key:
        environ["ANTHROPIC_AUTH_TOKEN"] = NO_KEY
    return environ
