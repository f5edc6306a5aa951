"""What holds for a request: configured, below what was set at run time, below its headers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.config.context_settings import ContextSettings
from llmstack.config.stack import Tier, Weights
from llmstack.config.swap import SwapConfig, SwapModel
from llmstack.errors import BadRequest
from llmstack.server.context_control import ContextControl
from llmstack.server.overrides import Override, Overrides

pytestmark = pytest.mark.anyio

HEADER = b"x-llmstack-context"


async def control() -> ContextControl:
    overrides = Overrides()
    await overrides.put("set", Override(policy="always"))
    models = {
        "local": SwapModel("local", context=ContextSettings("llm_assisted", trigger=0.7)),
        "set": SwapModel("set", context=ContextSettings("off", "strict_error", keep_recent=9)),
    }
    hosted = Tier("far", "agent", Weights(), context=ContextSettings("off", hygiene=False))
    return ContextControl(
        SwapConfig("test", models),
        overrides,
        tiers=[replace(hosted, aliases=("away",))],
        default=ContextSettings("always"),
    )


async def test_each_kind_of_model_has_what_its_file_says() -> None:
    made = await control()
    assert made.settings_for("local") == ContextSettings("llm_assisted", trigger=0.7)
    assert made.settings_for("far") == ContextSettings("off", hygiene=False)
    assert made.settings_for("ollama/found") == ContextSettings("always"), "that of [DEFAULT]"
    tier = made.tier_named("away")
    assert tier is not None
    assert tier.name == "far"


async def test_what_is_set_changes_nothing_else_and_a_header_wins() -> None:
    made = await control()
    configured = made.configured_settings("set")
    assert made.settings_for("set") == replace(configured, policy="always")
    asked = made.settings_for("set", [(b"host", b"x"), (HEADER, b" Sliding_Window ")])
    assert asked == replace(configured, policy="always", truncation="sliding_window")
    assert made.settings_for("set", [(HEADER, b"")]) == made.settings("set")


@pytest.mark.parametrize("value", [b"of", b"off,some", b"\xff" * 500])
async def test_a_header_that_means_nothing_is_refused_with_what_it_may_be(value: bytes) -> None:
    made = await control()
    with pytest.raises(BadRequest, match="x-llmstack-context") as raised:
        made.settings_for("local", [(HEADER, value)])
    assert "limit_only" in raised.value.why
    assert len(str(raised.value)) < 400
