"""One session of the real opencode that goes back and forth between plan and build."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.agents import Session, answered_by, tiny_stack
from tests.e2e.test_opencode import FILES, INSTALLED, opencode

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["opencode"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

TURNS = [
    ["run", "--agent", "plan", "design a cache"],
    ["run", "-c", "--agent", "build", "read main.py"],
    ["run", "-c", "--agent", "plan", "design a queue"],
    ["run", "-c", "--agent", "build", "run echo hello"],
]


@pytest.fixture(scope="module")
def session(opencode: str, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The turns, on a stack that holds the fast tier and one other at a time."""
    ini = tiny_stack(tiny_chat, "plan")
    runs = [[opencode, *arguments] for arguments in TURNS]
    root = tmp_path_factory.mktemp("alternation")
    return Session(root, ini, {**INSTALLED, "files": FILES, "runs": runs})


def test_each_turn_is_answered_by_the_tier_of_its_agent(session: Session) -> None:
    for number, tier in enumerate(("plan", "code-smart", "plan", "code-smart")):
        models = [model for model, status, _ in answered_by(session.run(number)) if status == "200"]
        assert tier in models
        assert set(models) <= {tier, "code-fast"}


def test_no_title_and_no_probe_swaps_a_model(session: Session) -> None:
    """Models change when the user changes the agent, and at no other time."""
    log = (session.project / ".llmstack" / "logs" / "router.log").read_text("utf-8")
    started = re.findall(r"llmstack\.engine: (\S+): starting", log)
    assert started.count("code-fast") == 1, started
    others = [model for model in started if model != "code-fast"]
    assert others == ["plan", "code-smart", "plan", "code-smart"] or others in (
        ["plan", "code-smart"],
        ["code-smart", "plan"],
    ), started
