"""What of a system text the user wrote, as opposed to the agent that carries it.

An agent's own prompt is long and mentions many things; a trigger in it is nobody's wish. The rule:

- A system text that begins as a known agent's prompt does is that agent's. Of it only the user's
  instruction files count, which agents append under a heading of their own (``Instructions from:``
  of opencode, ``Contents of`` of Claude Code, ``# AGENTS.md instructions for`` of Codex).
- Any other system text is the user's, or that of an application the user has chosen: a custom
  agent's prompt, a chat window's system prompt. All of it counts.
- From either, what agents add to every prompt is taken out: environment, skills, the model's name.
"""

from __future__ import annotations

import re

from llmstack.dialects import without_blocks

#: How the prompts of known agents begin.
_AGENTS = (
    "act as an expert software developer",
    "act as an expert code",
    "you are a coding agent running in the codex cli",
    "you are a deployed coding agent",
    "you are a context summarization agent",
    "you are a file search specialist",
    "you are a software engineer agent",
    "you are a title generator",
    "you are an ai assistant accessed via an api",
    "you are an interactive cli agent",
    "you are an interactive cli tool",
    "you are an agent for claude code",
    "you are claude code",
    "you are cline",
    "you are codex",
    "you are goose",
    "you are opencode",
    "you are qwen code",
    "you are roo",
    "x-anthropic-billing-header",
)
_HEADINGS = re.compile(
    r"^(?:Instructions from: |Contents of |# AGENTS\.md instructions for ).*$", re.MULTILINE
)
# What follows the last of a user's files is the agent's again.
_AGENT_AGAIN = re.compile(
    r"^(?:You are powered by |Here is some useful information about the environment"
    r"|Skills provide specialized instructions|gitStatus: )",
    re.MULTILINE,
)
_BLOCKS = ("available_skills", "env", "environment_context", "system-reminder")
_LINES = re.compile(
    r"^(?:You are powered by the model |x-anthropic-billing-header).*$", re.MULTILINE
)


def users_system(system: str) -> str:
    """The part of ``system`` that its user wrote."""
    start = system[:200].lstrip().lower()
    if start.startswith(_AGENTS):
        system = "\n".join(_files(system))
    if "</" in system:
        system = without_blocks(system, _BLOCKS)
    return _LINES.sub("", system)


def _files(system: str) -> list[str]:
    """What stands under each heading of a user's file."""
    found = []
    headings = list(_HEADINGS.finditer(system))
    for index, heading in enumerate(headings):
        last = index + 1 == len(headings)
        end = len(system) if last else headings[index + 1].start()
        text = system[heading.end() : end]
        if last and (again := _AGENT_AGAIN.search(text)):
            text = text[: again.start()]
        found.append(text)
    return found
