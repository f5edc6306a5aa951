"""The models.ini files that are brought along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmstack.config import default_ini, parse_stack, render_demo_ini
from llmstack.config.keys import KEYS
from llmstack.config.stack import Routing, Settings, Stack, Tier
from llmstack.errors import ConfigError


def demo(model: str = "/models/demo.gguf") -> Stack:
    loaded = parse_stack(render_demo_ini(Path(model)), "demo.ini")
    assert loaded.warnings == ()
    return loaded.stack


def tier(stack: Stack, name: str) -> Tier:
    found = stack.tier(name)
    assert found is not None
    return found


def test_the_default_file_loads_without_a_warning() -> None:
    """What a new project starts with is in order, with its four tiers.

    W11: a hosted tier, which needs a profile that nobody has, is never switched on by itself.
    """
    loaded = parse_stack(default_ini(), "models.ini")
    assert loaded.warnings == ()
    assert [(tier.name, tier.role, tier.ttl) for tier in loaded.stack.tiers] == [
        ("code-fast", "fast", 0),
        ("code-smart", "agent", 1800),
        ("plan", "plan", 1200),
        ("plan-uncensored", "plan-uncensored", 1200),
    ]
    assert loaded.stack.settings == Settings()
    assert loaded.stack.routing == Routing()


def opened(text: str) -> str:
    """``text`` with its fence taken off."""
    begin, rest = text.split("to switch it on ----\n")
    block, end = rest.split("; ---- code-ultra: end")
    return begin + "\n" + block.replace(";", "") + end.partition("\n")[2]


@pytest.mark.parametrize("variant", ["gguf", "anthropic"])
def test_the_hosted_tier_can_be_switched_on(variant: str) -> None:
    """With the fence taken off, the file still loads without a warning."""
    loaded = parse_stack(opened(default_ini(variant)), "models.ini")
    assert loaded.warnings == ()
    ultra = tier(loaded.stack, "code-ultra")
    assert ultra.role == "ultra"
    assert ultra.hosted is not None


@pytest.mark.parametrize(("variant", "backend"), [("bedrock", "bedrock"), ("anthropic", "openai")])
def test_the_hosted_variants_load_without_a_warning(variant: str, backend: str) -> None:
    """Every tier of the spec's variants is hosted, priced, and falls back on another."""
    loaded = parse_stack(default_ini(variant), "models.ini")
    assert loaded.warnings == ()
    stack = loaded.stack
    assert stack.local == ()
    assert {"fast", "agent", "plan"} <= {one.role for one in stack.tiers}
    assert all(one.hosted and one.hosted.backend == backend for one in stack.tiers)
    assert all(one.ctx_size and one.prices.input and one.prices.output for one in stack.tiers)
    assert all(one.fallback for one in stack.tiers if one.role != "fast")


def test_the_demo_shows_every_step_of_the_ladder() -> None:
    """A text of 3200 tokens is above the ceilings, and fits code-fast with 400 tokens to answer."""
    stack = demo()
    assert [tier.name for tier in stack.tiers] == [
        "code-fast",
        "code-smart",
        "plan",
        "plan-uncensored",
    ]
    assert {tier.weights.path for tier in stack.tiers} == {"/models/demo.gguf"}
    assert len({tier.sampler for tier in stack.tiers}) == 4
    fast = tier(stack, "code-fast")
    assert stack.routing.high_fidelity_ceiling < stack.routing.mid_fidelity_ceiling < 3200
    assert 3200 + 400 <= 3200 + (fast.max_output_tokens or 0) <= fast.ctx_size
    assert stack.settings.server.n_gpu_layers == 0


@pytest.mark.parametrize("model", ["/a;b/x.gguf", "/with blank/ü.gguf", "/50%/x.gguf", "/#1/x = y"])
def test_the_demo_takes_odd_paths(model: str) -> None:
    """A path with special characters arrives whole."""
    assert {tier.weights.path for tier in demo(model).tiers} == {model}


@pytest.mark.parametrize("model", ["/a ;b", "/${x}", "/a\nb", "/a "])
def test_the_demo_refuses_paths_that_an_ini_file_cannot_hold(model: str) -> None:
    """A path is never cut off silently."""
    with pytest.raises(ConfigError, match="cannot be written in an INI file"):
        render_demo_ini(Path(model))


def test_the_documented_defaults_are_the_real_ones() -> None:
    """The table of keys and the frozen values agree on every default."""
    for key in KEYS:
        owner = {"DEFAULT": Settings(), "ROUTING": Routing()}.get(key.section)
        value = getattr(owner, key.name, None)
        if value is not None and value != ():
            assert key.default == str(value).lower(), key.name


def test_every_key_is_listed_once_with_a_sentence() -> None:
    """The reference has one line for each key."""
    assert len({key.name for key in KEYS}) == len(KEYS)
    assert all(key.meaning[0].isupper() and key.meaning.endswith(".") for key in KEYS)


def test_importing_the_package_is_light() -> None:
    """The YAML library is not loaded by the package itself."""
    code = "import sys, llmstack.config; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
