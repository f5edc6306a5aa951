"""What the models of a stack need, and which are here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.config import default_ini
from llmstack.config.stack import Settings, Stack, Tier, Weights
from llmstack.config.stack_loader import parse_stack
from llmstack.server.doctor import models
from llmstack.server.doctor.models import GB, check_files, needed_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.hub.hub_file import HubFile


@pytest.fixture
def stack() -> Stack:
    return parse_stack(default_ini(), "models.ini").stack


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the files that are in the cache."""
    here: set[str] = set()

    def look(file: HubFile) -> str | None:
        return file.name if file.name in here else None

    monkeypatch.setattr(models, "cached_path", look)
    return here


def test_what_is_loaded_together_is_counted(stack: Stack) -> None:
    """W28: the fast tier and the largest other one, with the sizes of the channel."""
    assert needed_bytes(stack, "current") == (2.5 + 45) * GB
    assert needed_bytes(stack, "next") == (2.5 + 50) * GB


def test_a_file_without_a_stated_size_counts_with_its_own(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"x" * 1000)
    tiers = (
        Tier("a", "agent", Weights(path=str(path))),
        Tier("b", "plan", Weights(path=str(tmp_path / "gone.gguf"))),
    )
    assert needed_bytes(Stack("models.ini", Settings(), tiers), "current") == 1000


def test_missing_models_are_named_with_the_way_to_get_them(stack: Stack, cache: set[str]) -> None:
    cache.add("Qwen2.5-Coder-3B-Instruct-Q5_K_M.gguf")
    check, missing = check_files(stack, "current")
    assert check.level == "warning"
    assert check.finding.startswith("1 of 7")
    assert "code-smart, plan, plan-uncensored" in check.finding
    assert "code-fast" not in check.finding
    assert check.fix == "llmstack download"
    assert missing == (45 + 9.2 + 13) * GB


def test_only_what_the_channel_serves_must_be_here(stack: Stack, cache: set[str]) -> None:
    """An upgrade in waiting that is not here yet keeps nothing from working."""
    cache.update(str(tier.weights.hf_file) for tier in stack.tiers)
    check, missing = check_files(stack, "current")
    assert (check.level, missing) == ("ok", 0)
    assert "plan next" in check.finding
    assert check_files(stack, "next")[0].level == "warning"


def test_a_split_model_is_here_when_all_its_parts_are(cache: set[str]) -> None:
    name = "m-{:05}-of-00002.gguf"
    weights = Weights(hf_repo="o/r", hf_file=name.format(1), size_gb=2)
    stack = Stack("models.ini", Settings(), (Tier("a", "agent", weights),))
    cache.add(name.format(1))
    assert check_files(stack, "current")[0].level == "warning"
    cache.add(name.format(2))
    assert check_files(stack, "current")[0].level == "ok"
