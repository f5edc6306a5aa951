"""Real agents as ``llmstack connect`` wires them, in a sandbox whose only network is loopback.

opencode has a file of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.agents import Session, answered_by, npm_program, pip_program, tiny_stack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # they may have to be installed first

QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."


@pytest.fixture(scope="session")
def llm() -> str:
    """The path of the llm program."""
    return pip_program("llm", "llm==0.36", "llm")


@pytest.fixture(scope="session")
def claude() -> str:
    """The path of Claude Code."""
    return npm_program("claude", "@anthropic-ai/claude-code", "2.1.197", "claude")


@pytest.fixture(scope="session")
def codex() -> str:
    """The path of Codex."""
    return npm_program("codex", "@openai/codex", "0.169.0", "codex")


def test_llm_answers_through_auto_and_through_a_tier(
    llm: str, tiny_chat: Path, tmp_path: Path
) -> None:
    runs = [[llm, "-m", "auto", QUESTION], [llm, "-m", "code-fast", QUESTION], [llm, "models"]]
    wanted = {"wiring": [["connect", "llm", "--yes"]], "runs": runs}
    session = Session(tmp_path, tiny_stack(tiny_chat), wanted)
    assert session.run(0)["out"].strip() == ANSWER
    assert answered_by(session.run(0)) == [("code-smart", "200", True)]
    assert session.run(1)["out"].strip() == ANSWER
    assert answered_by(session.run(1)) == [("code-fast", "200", False)]
    for name in ("auto", "code-fast", "code-smart"):
        assert f": {name}\n" in session.run(2)["out"]


def test_claude_code_answers_by_the_project_s_settings(
    claude: str, tiny_chat: Path, tmp_path: Path
) -> None:
    """Nothing is in its environment: the file that connect wrote is all it has, also for a key."""
    wanted = {
        "wiring": [["keys", "add", "somebody"], ["connect", "claude", "--yes"]],
        "environ": {"DISABLE_AUTOUPDATER": "1"},
        "runs": [[claude, "-p", QUESTION]],
    }
    session = Session(tmp_path, tiny_stack(tiny_chat, "plan"), wanted)
    settings = json.loads((session.project / ".claude" / "settings.local.json").read_text())
    assert settings["env"]["ANTHROPIC_MODEL"] == "auto"
    run = session.run(0)
    assert run["out"].strip()  # what the tiny model makes of 24 tools and a long prompt
    assert ("code-smart", "200", True) in answered_by(run, "/v1/messages")


def test_codex_answers_by_the_user_s_profile(codex: str, tiny_chat: Path, tmp_path: Path) -> None:
    """Codex speaks the Responses API only. Its key is in the variable that connect prints."""
    ask = ["exec", "--skip-git-repo-check", QUESTION]
    wanted = {
        "wiring": [["keys", "add", "somebody"], ["connect", "codex", "--global", "--yes"]],
        "runs": [[codex, "--profile", "llmstack", *ask]],
    }
    session = Session(tmp_path, tiny_stack(tiny_chat), wanted)
    assert (tmp_path / "home" / ".codex" / "llmstack.config.toml").is_file()
    run = session.run(0)
    assert run["out"].strip()
    # Codex hangs up on reading `response.completed`, at times before the last chunk has gone out.
    whole = {("code-smart", status, True) for status in ("200", "499")}
    assert whole & set(answered_by(run, "/v1/responses"))
