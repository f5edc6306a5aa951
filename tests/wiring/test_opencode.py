"""The opencode.json that is generated for a stack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmstack.config import parse_stack
from llmstack.wiring.opencode import opencode_config, render_opencode

STACK = parse_stack(
    """
[code-fast]
role = fast
hf_repo = a/b
hf_file = fast.gguf
ctx_size = 32k
[code-smart]
role = agent
hf_repo = a/b
hf_file = smart.gguf
ctx_size = 64000
max_output_tokens = 16k
[plan]
role = plan
hf_repo = a/b
hf_file = plan.gguf
""",
    "models.ini",
).stack


@pytest.fixture
def config() -> dict[str, Any]:
    return opencode_config(STACK, "http://127.0.0.1:10101")


def test_every_tier_and_auto_have_a_context_and_an_output_limit(config: dict[str, Any]) -> None:
    """Without limits opencode never compacts a conversation."""
    models = config["provider"]["llama.cpp"]["models"]
    assert list(models) == ["auto", "code-fast", "code-smart", "plan"]
    for model in models.values():
        assert 0 < model["limit"]["output"] <= model["limit"]["context"] // 2


def test_auto_promises_no_more_than_the_agent_tier_holds(config: dict[str, Any]) -> None:
    """W15: auto promised the largest window of any tier and then overflowed."""
    models = config["provider"]["llama.cpp"]["models"]
    assert models["auto"]["limit"] == {"context": 64000, "output": 16384}


def test_an_agents_temperature_reaches_the_model(config: dict[str, Any]) -> None:
    models = config["provider"]["llama.cpp"]["models"]
    assert all(model["temperature"] for model in models.values())


def test_side_work_goes_to_the_fast_tier_and_planning_to_the_planner(
    config: dict[str, Any],
) -> None:
    assert config["model"] == "llama.cpp/auto"
    assert config["small_model"] == "llama.cpp/code-fast"
    assert config["agent"]["plan"]["model"] == "llama.cpp/plan"


def test_the_planner_may_not_change_anything(config: dict[str, Any]) -> None:
    permission = config["agent"]["plan"]["permission"]
    assert permission == {"edit": "deny", "write": "deny", "bash": "deny"}
    assert "permission" not in config, "a global permission would disarm the plan agent"


def test_a_long_prompt_does_not_time_out(config: dict[str, Any]) -> None:
    options = config["provider"]["llama.cpp"]["options"]
    assert options["headerTimeout"] is False
    assert options["chunkTimeout"] is False


def test_agents_of_missing_tiers_are_left_out() -> None:
    lonely = parse_stack("[one]\nrole = agent\nhf_repo = a/b\nhf_file = c.gguf\n", "x").stack
    config = opencode_config(lonely, "http://127.0.0.1:1")
    assert "small_model" not in config
    assert list(config["agent"]) == ["build"]


def test_the_text_is_the_same_every_time() -> None:
    first, second = (render_opencode(STACK, "http://127.0.0.1:10101") for _ in range(2))
    assert first == second
    assert json.loads(first) == opencode_config(STACK, "http://127.0.0.1:10101")
