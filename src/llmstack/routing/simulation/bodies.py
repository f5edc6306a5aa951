"""Requests as opencode 1.18 sends them: their shape and sizes are those of recorded ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from llmstack.routing.simulation.phrases import filler

PATH: Final = "/v1/chat/completions"
#: Tools with the sizes of their definitions in characters.
TOOLS: Final = (
    ("bash", 5314),
    ("edit", 1994),
    ("glob", 1138),
    ("grep", 1212),
    ("read", 1771),
    ("skill", 695),
    ("task", 3920),
    ("todowrite", 2728),
    ("webfetch", 1328),
    ("write", 1051),
)
#: Tools of an agent that only looks.
LOOKS: Final = frozenset(("glob", "grep", "read", "webfetch"))
#: Characters of the system text.
SYSTEM: Final = 9567
SUBAGENT_SYSTEM: Final = 3000
MAX_OUTPUT, MAX_TITLE = 8192, 2048

_PLAN_REMINDER: Final = (
    "<system-reminder>\n# Plan Mode - System Reminder\n\nPlan mode ACTIVE: you are in the "
    "READ-ONLY phase. Files, configuration and repositories stay as they are; look, think, and "
    "write a plan that the user can judge.\n"
    + "What you would change goes into the plan, step by step, with its reasons.\n" * 17
    + "</system-reminder>"
)
_BUILD_REMINDER: Final = (
    "<system-reminder>\nYour operational mode has changed from plan to build.\nYou are no longer "
    "in read-only mode.\n</system-reminder>"
)
_TITLE: Final = "You are a title generator. You output ONLY a thread title. Nothing else.\n"
_COMPACTION: Final = (
    "You are a context summarization agent. You are given a conversation between a user and an "
    "agent. Your goal is to produce a structured summary.\n"
)
_ANCHORED: Final = (
    "Create a new anchored summary from the conversation history in the format below."
)


@dataclass(slots=True)
class Talk:
    """The messages of one session so far. ``project`` is a part of the system text."""

    project: str
    subagent: bool = False
    tools: bool = True
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0

    @property
    def system(self) -> str:
        """The system text."""
        kind = "a sub-agent that explores" if self.subagent else "an interactive CLI tool"
        head = f"You are opencode, {kind} for software work.\nDirectory: /src/{self.project}\n"
        size = SUBAGENT_SYSTEM if self.subagent else SYSTEM
        if not self.tools:
            head, size = "You are a helpful assistant in a code editor.\n", 400
        return (head + "Answer briefly. Say what you did. Check your work with the tests.\n" * 200)[
            :size
        ]

    def asks(self, text: str, *, plan: bool = False, leaves_plan: bool = False) -> None:
        """The user says ``text``."""
        reminder = _PLAN_REMINDER if plan else _BUILD_REMINDER if leaves_plan else ""
        content: Any = text
        if reminder:
            content = [{"type": "text", "text": text}, {"type": "text", "text": reminder}]
        self.messages.append({"role": "user", "content": content})

    def calls_tool(self, output: int, result: int, name: str = "read") -> None:
        """The model calls a tool with ``output`` tokens; the client sends the result."""
        self.calls += 1
        call = {
            "id": f"call_{self.calls}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps({"text": filler(output)})},
        }
        self.messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        self.messages.append(
            {"role": "tool", "tool_call_id": call["id"], "content": filler(result)}
        )

    def answers(self, output: int) -> None:
        """The model ends its turn."""
        self.messages.append({"role": "assistant", "content": filler(output)})

    def starts_again(self, summary: int) -> None:
        """After a compaction only a summary is left."""
        self.messages = [
            {"role": "user", "content": "What did we do so far?"},
            {"role": "assistant", "content": filler(summary)},
        ]

    def body(self) -> bytes:
        """The request for the next answer."""
        body: dict[str, Any] = {
            "model": "auto",
            "max_tokens": MAX_OUTPUT,
            "messages": [{"role": "system", "content": self.system}, *self.messages],
            "stream": True,
        }
        if self.tools:
            names = (tool for tool in TOOLS if not self.subagent or tool[0] in LOOKS)
            body["tools"] = [_tool(*tool) for tool in names]
        return _encoded(body)

    def compaction(self) -> bytes:
        """The request for a summary of it all, which carries no tools."""
        said = "\n".join(_told(message) for message in self.messages)
        text = f"Here is the conversation so far:\n\n<conversation>\n{said}\n</conversation>\n\n"
        return _side(_COMPACTION, [text + _ANCHORED], MAX_OUTPUT)


def title(first: dict[str, Any]) -> bytes:
    """The request for a title of a talk that begins with ``first``."""
    system = (_TITLE + "The title is one line, at most fifty characters.\n" * 60)[:2096]
    return _side(system, ["Generate a title for this conversation:\n", first["content"]], MAX_TITLE)


def summary(text: str) -> bytes:
    """The request for a line on what a turn did."""
    system = "Summarize what was done in this conversation. Write like a pull request description."
    return _side(system, [text], MAX_TITLE)


def _side(system: str, said: list[Any], output: int) -> bytes:
    users = [{"role": "user", "content": text} for text in said]
    return _encoded(
        {
            "model": "auto",
            "max_tokens": output,
            "messages": [{"role": "system", "content": system}, *users],
            "stream": True,
        }
    )


def _told(message: dict[str, Any]) -> str:
    # Clients cut the results of tools short.
    content = message["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    return f"[{message['role']}]: {text[:2000]}"


def _tool(name: str, size: int) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    described = (f"The tool {name}. Use it with care and say what it found.\n" * 100)[: size - 150]
    function = {"name": name, "description": described, "parameters": parameters}
    return {"type": "function", "function": function}


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
