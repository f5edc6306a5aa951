"""Which rule a configuration asks for."""

from __future__ import annotations

import pytest

from llmstack.config.swap import MemoryPlan, SwapConfig
from llmstack.errors import ConfigError
from llmstack.residency import compile_residency


def test_the_rule_by_memory_is_refused_and_not_taken_for_groups() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_residency(SwapConfig("config.yaml", memory=MemoryPlan()))
    assert "memory" in caught.value.why
