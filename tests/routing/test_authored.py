"""Triggers count in system text that the user wrote, and not in an agent's own prompt."""

from __future__ import annotations

import pytest

from llmstack.dialects import RequestView
from llmstack.routing import decide
from tests.routing.stacks import LADDERS

AGENT = "You are opencode, an interactive CLI tool.\n{}\nYou are powered by the model named auto.\n"
FILES = AGENT + "<env>\n  Platform: linux\n</env>\n{}"


def answered(system: str) -> str:
    return decide(RequestView("chat", system=system, last_user="hi"), LADDERS["full"]).model


@pytest.mark.parametrize(
    "system",
    [
        "[nofilter]",
        "You are a terse reviewer.\n[nofilter]\n<env>\n  Platform: linux\n</env>",
        FILES.format("Be brief.", "Instructions from: /home/me/AGENTS.md\n# Rules\n[nofilter]\n"),
        "You are Claude Code.\nContents of /p/CLAUDE.md (project instructions):\n\n[nofilter]\n",
    ],
)
def test_the_users_own_system_text_counts(system: str) -> None:
    assert answered(system) == "plan-uncensored"


@pytest.mark.parametrize(
    "system",
    [
        AGENT.format("[nofilter]"),
        FILES.format("[nofilter]", "Instructions from: /home/me/AGENTS.md\nBe brief."),
        "Be kind.\n<env>\n[nofilter]\n</env>",
        "Be kind.\n<available_skills>\n[nofilter]\n</available_skills>",
        "You are Claude Code, Anthropic's official CLI.\nnofilter: never\n",
        FILES.format("", "Instructions from: /a/AGENTS.md\nBe brief.\ngitStatus: x\n[nofilter]"),
    ],
)
def test_an_agents_own_text_does_not(system: str) -> None:
    assert answered(system) == "code-ultra"
