"""The ``opencode.json`` that points opencode at a stack.

Shape: opencode's configuration schema. What must be said although it looks like a default:
``limit`` on every model (without it compaction never starts), ``temperature: true`` (else an
agent's temperature is dropped), the plan agent's ``permission`` (a global one would disarm it),
and no time-outs on headers and chunks (a long prompt is silent while it is read).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.config.stack import Stack, Tier

PROVIDER = "llama.cpp"

#: Window assumed for a tier that states none, and output room by role, in tokens.
WINDOW, OUTPUT, AGENT_OUTPUT = 8192, 8192, 32_768

READ_ONLY = {"edit": "deny", "write": "deny", "bash": "deny"}


def opencode_config(stack: Stack, gateway: str) -> dict[str, Any]:
    """The configuration as a JSON object; ``gateway`` is its base URL without ``/v1``."""
    models = {"auto": _auto(stack)} | {tier.name: _model(tier) for tier in stack.tiers}
    config: dict[str, Any] = {
        "$schema": "https://opencode.ai/config.json",
        "share": "disabled",
        "autoupdate": False,
        "provider": {
            PROVIDER: {
                "npm": "@ai-sdk/openai-compatible",
                "name": "llmstack",
                "options": {
                    "baseURL": f"{gateway}/v1",
                    "apiKey": "sk-no-key-required",
                    "headerTimeout": False,
                    "chunkTimeout": False,
                },
                "models": models,
            }
        },
        "model": f"{PROVIDER}/auto",
        "agent": {"build": {"model": f"{PROVIDER}/auto"}},
    }
    fast, plan = stack.with_role("fast"), stack.with_role("plan")
    if fast:
        config["small_model"] = f"{PROVIDER}/{fast[0].name}"
    if plan:
        config["agent"]["plan"] = {
            "model": f"{PROVIDER}/{plan[0].name}",
            "permission": dict(READ_ONLY),
        }
    return config


def render_opencode(stack: Stack, gateway: str) -> str:
    """``opencode_config`` as text."""
    return json.dumps(opencode_config(stack, gateway), indent=2) + "\n"


def _model(tier: Tier) -> dict[str, Any]:
    window = tier.ctx_size or WINDOW
    wanted = tier.max_output_tokens or (AGENT_OUTPUT if tier.role == "agent" else OUTPUT)
    return _entry(tier.description or tier.name, window, wanted)


def _auto(stack: Stack) -> dict[str, Any]:
    """``auto`` may land on any tier with tools, so it promises what the agent tier holds."""
    agents = stack.with_role("agent") or stack.tiers
    window = max((tier.ctx_size or WINDOW for tier in agents), default=WINDOW)
    wanted = max((tier.max_output_tokens or OUTPUT for tier in agents), default=OUTPUT)
    return _entry("auto: llmstack chooses the tier", window, wanted)


def _entry(name: str, window: int, wanted: int) -> dict[str, Any]:
    return {
        "name": name,
        "tool_call": True,
        "temperature": True,
        "limit": {"context": window, "output": min(wanted, window // 2)},
        "cost": {"input": 0, "output": 0},
    }
