"""The opencode.json that is generated for a stack."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from llmstack.config import parse_stack
from llmstack.wiring.opencode import (
    Wishes,
    is_generated,
    opencode_config,
    render_opencode,
    wishes,
)

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


FULL = parse_stack(
    "".join(
        f"[{name}]\nrole = {role}\nhf_repo = a/b\nhf_file = {name}.gguf\nctx_size = 32k\n"
        for name, role in (("f", "fast"), ("c", "agent"), ("p", "plan"), ("u", "plan-uncensored"))
    )
    + "price_input_per_1m = 3\nprice_output_per_1m = 15\n",
    "models.ini",
).stack


def test_the_planner_without_filter_only_reads_too() -> None:
    """Its agent and its command come with a tier of that role."""
    config = opencode_config(FULL, "http://127.0.0.1:1")
    agent = config["agent"]["plan-nofilter"]
    assert agent["model"] == "llama.cpp/u"
    assert agent["permission"] == config["agent"]["plan"]["permission"]
    assert list(config["command"]) == ["review", "nofilter"]
    assert "[nofilter]" in config["command"]["nofilter"]["template"]


def test_commands_without_their_agent_are_left_out(config: dict[str, Any]) -> None:
    """A command of a missing agent would fail when it is used."""
    assert list(config["command"]) == ["review"]


def test_prices_of_the_file_are_told() -> None:
    """opencode adds up what a session costs."""
    models = opencode_config(FULL, "http://127.0.0.1:1")["provider"]["llama.cpp"]["models"]
    assert models["u"]["cost"]["output"] == 15
    assert models["f"]["cost"] == {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}


def test_a_window_that_is_served_wins_over_the_file() -> None:
    """A server that capped the context at the trained length would overflow otherwise."""
    wished = Wishes(served=(("c", 8192),))
    models = opencode_config(FULL, "http://127.0.0.1:1", wished)["provider"]["llama.cpp"]["models"]
    assert models["c"]["limit"]["context"] == 8192
    assert models["auto"]["limit"]["context"] == 8192
    assert models["f"]["limit"]["context"] == 32_768


def test_the_documented_variables_are_followed() -> None:
    """OPENCODE_INSTRUCTIONS is split as PATH is, so that Windows paths survive."""
    environ = {
        "OPENCODE_INSTRUCTIONS": os.pathsep.join(["a.md", "b.md"]),
        "OPENCODE_SHARE": "manual",
        "OPENCODE_USERNAME": "me",
        "OPENCODE_DISABLED_PROVIDERS": "openai, xai",
        "LLMSTACK_API_KEY": "sk-secret",
    }
    config = opencode_config(FULL, "http://127.0.0.1:1", wishes(environ))
    assert config["instructions"] == ["a.md", "b.md"]
    assert (config["share"], config["username"]) == ("manual", "me")
    assert config["disabled_providers"] == ["openai", "xai"]
    assert config["provider"]["llama.cpp"]["options"]["apiKey"] == "{env:LLMSTACK_API_KEY}"
    assert "sk-secret" not in json.dumps(config)


def test_only_our_own_file_counts_as_generated() -> None:
    """Anything else is the user's, and is copied before it is replaced."""
    assert is_generated(render_opencode(FULL, "http://127.0.0.1:1"))
    assert not is_generated('{"theme": "x"}')
    assert not is_generated("// mine")
    assert not is_generated("[]")


def test_a_description_puts_no_secret_into_the_configuration() -> None:
    """opencode replaces {env:NAME} and {file:PATH} wherever they stand in the file."""
    text = "[a]\nhf_repo = o/r\nhf_file = f.gguf\ndescription = {env:TOKEN}{file:~/.ssh/id} {x}\n"
    rendered = render_opencode(parse_stack(text, "models.ini").stack, "http://127.0.0.1:1")
    assert "{env:" not in rendered
    assert "{file:" not in rendered
    assert "(env:TOKEN}(file:~/.ssh/id} {x}" in rendered


def test_a_hosted_tier_has_its_window_its_limit_and_its_price() -> None:
    """Without prices opencode counts what others host as free."""
    stack = parse_stack(
        """
[code-fast]
role = fast
hf_repo = a/b
hf_file = fast.gguf
[code-smart]
role = agent
backend = openai
base_url = https://example.org/v1
model_name = m
ctx_size = 200000
max_output_tokens = 32000
price_input_per_1m = 3
price_output_per_1m = 15
price_cache_read_per_1m = 0.3
price_cache_write_per_1m = 3.75
[box]
backend = peer
base_url = http://box
""",
        "models.ini",
    ).stack
    models = opencode_config(stack, "http://x")["provider"]["llama.cpp"]["models"]
    assert list(models) == ["auto", "code-fast", "code-smart"]
    for name in ("auto", "code-smart"):
        assert models[name]["limit"] == {"context": 200000, "output": 32000}
        assert models[name]["cost"] == {
            "input": 3,
            "output": 15,
            "cache_read": 0.3,
            "cache_write": 3.75,
        }
    assert models["code-fast"]["cost"]["output"] == 0
    assert "attachment" not in models["code-smart"], "nobody knows whether it sees images"
