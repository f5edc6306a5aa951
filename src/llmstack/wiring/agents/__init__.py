"""How each coding agent is pointed at a stack: one module per agent, one line each here."""

from __future__ import annotations

from llmstack.wiring.agents import (
    aider,
    claude,
    codex,
    continue_,
    cursor,
    llm,
    opencode,
    qwen,
    zed,
)

#: Name on the command line → the function that plans its wiring.
AGENTS = {
    "opencode": opencode.plan,
    "claude": claude.plan,
    "codex": codex.plan,
    "aider": aider.plan,
    "llm": llm.plan,
    "continue": continue_.plan,
    "zed": zed.plan,
    "qwen": qwen.plan,
    "cursor": cursor.plan,
}
