"""A turn as the request that its client would send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.routing.evaluation.turn import Turn

#: Clients that speak Anthropic's dialect; all others speak OpenAI chat.
_MESSAGES: Final = frozenset({"claude-code"})
#: What agents ask for on every turn.
_USUAL_OUTPUT: Final = 32_000

_TOOLS: Final = (
    ("bash", "Run a command in the shell of the workspace and return its output.", "command"),
    ("read", "Read a file, or a range of its lines.", "path"),
    ("edit", "Replace a passage of a file with another.", "path"),
    ("write", "Create or overwrite a file.", "path"),
    ("grep", "Search the files of the workspace for a regular expression.", "pattern"),
    ("glob", "List files whose path matches a pattern.", "pattern"),
    ("todo", "Write down the steps of a longer task and what became of them.", "todos"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A route, the headers that matter to routing, and the body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@lru_cache(maxsize=4096)
def request(turn: Turn) -> Request:
    """What the turn's client sends to ``auto``: the session, the newest message, its reminder."""
    anthropic = turn.client in _MESSAGES
    messages: list[dict[str, Any]] = []
    if turn.system and not anthropic:
        messages.append({"role": "system", "content": turn.system})
    messages += [{"role": said.role, "content": said.text} for said in turn.session]
    messages.append({"role": "user", "content": _newest(turn, reminder_first=anthropic)})
    body: dict[str, Any] = {"model": "auto", "stream": True, "messages": messages}
    if turn.system and anthropic:
        body["system"] = [{"type": "text", "text": turn.system}]
    if turn.max_output or turn.tools or anthropic:
        body["max_tokens"] = turn.max_output or _USUAL_OUTPUT
    if turn.tools:
        body["tools"] = [_tool(*tool, anthropic=anthropic) for tool in _TOOLS]
    return Request(
        "/v1/messages" if anthropic else "/v1/chat/completions",
        MappingProxyType({"x-session-id": session_id(turn)}),
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def session_id(turn: Turn) -> str:
    """A session of its own for every turn: what one decision leaves behind sways no other."""
    return f"eval-{turn.id}"


def _newest(turn: Turn, *, reminder_first: bool) -> Any:
    if not turn.reminder:
        return turn.text
    parts = [turn.reminder, turn.text] if reminder_first else [turn.text, turn.reminder]
    return [{"type": "text", "text": part} for part in parts]


def _tool(name: str, description: str, parameter: str, *, anthropic: bool) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [parameter],
    }
    if anthropic:
        return {"name": name, "description": description, "input_schema": schema}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}
