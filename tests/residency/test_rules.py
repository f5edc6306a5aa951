"""Which rule a configuration asks for."""

from __future__ import annotations

from llmstack.config.swap import MemoryPlan, SwapConfig, SwapModel
from llmstack.residency import compile_residency
from llmstack.residency.memory import MemoryResidency


def test_the_rule_by_memory_goes_by_what_is_declared_if_nothing_else_is_known() -> None:
    models = {name: SwapModel(id=name, memory=2 << 30) for name in "abc"}
    rule = compile_residency(
        SwapConfig("config.yaml", models=models, memory=MemoryPlan(4 << 30, pinned=("a",)))
    )
    assert isinstance(rule, MemoryResidency)
    assert rule.evict("c", ["a", "b"]) == {"b"}
