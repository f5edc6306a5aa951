"""A request in no API's words: what is said, with which tools, and how the answer shall be.

Whatever has a counterpart in two of the APIs (OpenAI chat, responses and completions, Anthropic
messages, Bedrock's Converse) has a member here. Values are checked where they are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Role = Literal["user", "assistant"]
#: How hard to think, in OpenAI's words; ``none`` switches thinking off.
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
#: All of them, from the least to the most.
EFFORTS: tuple[Effort, ...] = get_args(Effort)


@dataclass(frozen=True, slots=True)
class CacheMark:
    """The prompt up to and with what bears this mark is worth keeping; ``ttl`` like "5m", "1h"."""

    ttl: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: its bytes, or where they lie. ``media_type`` like "image/png", "" if unknown."""

    media_type: str = ""
    data: bytes = b""
    url: str = ""
    detail: str = ""
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file such as a PDF: its bytes, or where they lie."""

    media_type: str = ""
    data: bytes = b""
    url: str = ""
    name: str = ""
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the assistant thought. ``redacted`` is its encrypted form, as its API wrote it."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The assistant calls a tool. ``arguments`` is the JSON text as it was written."""

    id: str
    name: str
    arguments: str
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the call ``id`` gave; part of a user's turn."""

    id: str
    content: tuple[Text | Image | Document, ...]
    error: bool = False
    cache: CacheMark | None = None


Block = Text | Image | Document | Thinking | ToolUse | ToolResult


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says before the other does. Readers need not merge turns of one role."""

    role: Role
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be called. ``schema`` is the JSON Schema of its arguments.

    A ``freeform`` tool takes plain text where its API has such tools, which is the string member
    ``input`` of its arguments elsewhere. ``namespace`` is what its API writes apart from the last
    part of its ``name``, which is ``namespace__part``.
    """

    name: str
    description: str = ""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    strict: bool | None = None
    cache: CacheMark | None = None
    freeform: bool = False
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool must be called; ``name`` with ``named`` only."""

    kind: Literal["auto", "none", "required", "named"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, and when to stop. None is for "the model's default"."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    max_output: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The answer is JSON; of ``schema`` if there is one."""

    schema: dict[str, Any] | None = None
    name: str = ""
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole request.

    ``thinking_budget`` is in tokens; with ``effort`` at most one of the two is set. ``dropped``
    names the members that the reader could not keep, for the log and the response header.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_calls: bool | None = None
    sampling: Sampling = Sampling()
    effort: Effort | None = None
    thinking_budget: int | None = None
    format: AnswerFormat | None = None
    stream: bool = False
    include_usage: bool = False
    user: str = ""
    dropped: tuple[str, ...] = ()


def bears_marks(conversation: Conversation) -> bool:
    """Whether anything of ``conversation`` is marked as worth keeping."""
    blocks = [block for turn in conversation.turns for block in turn.blocks]
    inner = [part for block in blocks if isinstance(block, ToolResult) for part in block.content]
    outer = [block for block in blocks if not isinstance(block, Thinking)]
    return any(one.cache for one in (*conversation.system, *conversation.tools, *outer, *inner))
