"""One session of the real opencode that plans and builds by turns: what is loaded, and what for.

Its title is asked of ``auto``, which is the hardest case: the words in it ask for a plan, it has no
tools, and only what it is tells that it must not move a model.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.agents import Session, answered_by, tiny_stack
from tests.e2e.test_opencode import FILES, INSTALLED, opencode

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["opencode"]

pytestmark = pytest.mark.timeout(600)

RUNS = [
    ["run", "--agent", "build", "design a cache"],
    ["run", "--continue", "--agent", "plan", "design the eviction"],
    ["run", "--continue", "--agent", "build", "read main.py"],
    ["run", "--continue", "--agent", "build", "continue"],
    ["run", "--continue", "--agent", "plan", "design the tests"],
    ["run", "--continue", "--agent", "build", "run echo hello"],
]


@pytest.fixture(scope="module")
def alternating(
    opencode: str, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    """A session that is wired by ``install``, but for the model of its titles."""
    # With this opencode asks the session's own model for a title.
    titled = {"OPENCODE_CONFIG_CONTENT": json.dumps({"small_model": "llmstack/auto"})}
    environ = {**INSTALLED["environ"], **titled}  # type: ignore[dict-item]
    wanted = {**INSTALLED, "environ": environ, "files": FILES}
    wanted["runs"] = [[opencode, *arguments] for arguments in RUNS]
    root = tmp_path_factory.mktemp("alternating")
    return Session(root, tiny_stack(tiny_chat, "plan"), wanted)


def test_only_a_change_of_agent_loads_a_model(alternating: Session) -> None:
    """No swap is caused by a title, a tool loop or a terse follow-up."""
    loads = [alternating.run(number)["loads"] for number in range(len(RUNS))]
    smart, plan = {"code-smart": 1}, {"plan": 1}
    assert loads == [smart, plan, smart, {}, plan, smart]


def test_a_title_that_auto_is_asked_for_is_written_by_the_small_model(
    alternating: Session,
) -> None:
    run = alternating.run(0)
    assert ("code-fast", "200", True) in answered_by(run)
    assert any("auto: title goes to the small tier" in line for line in run["requests"])


def test_turns_go_where_their_agent_wants(alternating: Session) -> None:
    for number, arguments in enumerate(RUNS):
        model = "plan" if "plan" in arguments else "code-smart"
        answered = {model for model, _, _ in answered_by(alternating.run(number))}
        assert answered - {"code-fast"} == {model}
