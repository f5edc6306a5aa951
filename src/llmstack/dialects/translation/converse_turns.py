"""The turns of a conversation as Converse's messages.

Converse wants a user first, the two sides in turn, no message without content and no blank text;
every call of a tool has its result in the very next message, before anything else there, and
no result is without its call. Whatever comes in, that goes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import (
    Document,
    Image,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from llmstack.dialects.translation.converse_cache import cache_point, mark_of
from llmstack.dialects.translation.converse_json import compact_object, read_arguments
from llmstack.dialects.translation.converse_media import (
    DocumentNames,
    document_block,
    image_block,
)
from llmstack.dialects.translation.converse_names import Names
from llmstack.dialects.translation.data_url import read_base64
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects.translation.conversation import Block, Conversation, Role, Turn
    from llmstack.dialects.translation.converse_family import Family

Json = dict[str, Any]

#: What a user says where Converse wants a user's words and the request has none.
OPENING = "Continue."
UNANSWERED = "This call was not answered: its result is not in the conversation."
_EMPTY_RESULT = "(no output)"
#: For models that no status is told to.
_FAILED = "The tool failed:"


def write_turns(conversation: Conversation, family: Family, names: Names) -> list[Json]:
    """The messages of ``conversation``. ``names`` are those of its tools.

    Raises:
        BadRequest: there is nothing to answer, or a picture or document that Converse cannot take.
    """
    merged = _merged(conversation.turns, family)
    if not merged and not any(text.text.strip() for text in conversation.system):
        raise BadRequest(
            "The conversation has no words",
            why="Every message is empty, and Bedrock answers none.",
            fix='Send at least one message with content: {"role": "user", "content": "..."}.',
        )
    if not merged or merged[0].role == "assistant":
        merged.insert(0, _Side("user", [Text(OPENING)]))
    writer = _Writer(family, names)
    messages: list[Json] = []
    calls: dict[str, list[str]] = {}
    for side in merged:
        if side.role == "user":
            messages.append({"role": "user", "content": writer.user(side.blocks, calls)})
            calls = {}
            continue
        content, calls = writer.assistant(side.blocks)
        messages.append({"role": "assistant", "content": content})
    if calls:
        messages.append({"role": "user", "content": writer.user([], calls)})
    elif messages[-1]["role"] == "assistant":
        # Claude refuses an answer's beginning that ends in a space.
        last = messages[-1]["content"][-1]
        if "text" in last:
            last["text"] = last["text"].rstrip()
    return messages


@dataclass(slots=True)
class _Side:
    role: Role
    blocks: list[Block] = field(default_factory=list)


def _merged(turns: Iterable[Turn], family: Family) -> list[_Side]:
    """Runs of one role as one, without what Converse refuses or cannot use."""
    sides: list[_Side] = []
    for turn in turns:
        blocks = [block for block in turn.blocks if _says(block, turn.role, family)]
        if not blocks:
            continue
        if not sides or sides[-1].role != turn.role:
            sides.append(_Side(turn.role))
        sides[-1].blocks += blocks
    kept: list[_Side] = []
    for side in sides:
        # Claude refuses a turn that ends in thoughts: they led to nothing that is left.
        while side.blocks and isinstance(side.blocks[-1], Thinking):
            side.blocks.pop()
        if not side.blocks:
            continue
        if kept and kept[-1].role == side.role:
            kept[-1].blocks += side.blocks
        else:
            kept.append(side)
    return kept


def _only_words(block: ToolResult) -> bool:
    return all(isinstance(part, Text) for part in block.content)


def _says(block: Block, role: Role, family: Family) -> bool:
    if isinstance(block, Text):
        return bool(block.text.strip())
    if isinstance(block, Thinking):
        sealed = bool(block.signature) or read_base64(block.redacted) is not None
        return role == "assistant" and family.signs_thinking and sealed
    return True


@dataclass(slots=True)
class _Writer:
    family: Family
    names: Names
    ids: Names = field(default_factory=Names)
    documents: DocumentNames = field(default_factory=DocumentNames)

    def assistant(self, blocks: list[Block]) -> tuple[list[Json], dict[str, list[str]]]:
        """The content of a message, and for each id of a call the ids that Converse gets for it.

        Clients repeat ids; Converse wants each once.
        """
        content: list[Json] = []
        calls: dict[str, list[str]] = {}
        for block in blocks:
            if isinstance(block, ToolUse):
                fresh = self.ids.fresh(block.id)
                calls.setdefault(block.id, []).append(fresh)
                name, arguments = self.names.of(block.name), read_arguments(block.arguments)
                content.append({"toolUse": {"toolUseId": fresh, "name": name, "input": arguments}})
            elif isinstance(block, Thinking):
                content.append({"reasoningContent": _thoughts(block)})
            elif isinstance(block, Text):
                content.append({"text": block.text})
            elif isinstance(block, ToolResult) and _only_words(block):
                self._say(content, block)
            else:
                raise BadRequest(
                    "An assistant's message holds a picture or a document",
                    why="Bedrock takes these from the user only.",
                    fix="Move it into a message with the role user.",
                )
            self._mark(content, block)
        return content, calls

    def user(self, blocks: list[Block], calls: dict[str, list[str]]) -> list[Json]:
        """The content of a message that answers ``calls``: their results, then the rest."""
        waiting = {call: list(ids) for call, ids in calls.items()}
        results: list[Json] = []
        rest: list[Json] = []
        for block in blocks:
            if isinstance(block, ToolResult) and waiting.get(block.id):
                results.append(self._result(block, waiting[block.id].pop(0)))
                self._mark(results, block)
                continue
            self._say(rest, block)
            self._mark(rest, block)
        stubs = [
            self._told(unanswered, [{"text": UNANSWERED}], error=self.family.keeps_status)
            for ids in waiting.values()
            for unanswered in ids
        ]
        has = {kind for block in rest for kind in block}
        if "document" in has and "text" not in has:
            # Converse wants words beside a document.
            rest.append({"text": "See the document."})
        return stubs + results + rest

    def _say(self, content: list[Json], block: Block) -> None:
        if isinstance(block, Text):
            content.append({"text": block.text})
        elif isinstance(block, Image):
            content.append(image_block(block))
        elif isinstance(block, Document):
            content.append(document_block(block, self.documents))
        elif isinstance(block, ToolResult):
            word = "Error" if block.error else "Result"
            content.append({"text": f"[{word} of tool call {block.id}]"})
            content += self._result_content(block)
        elif isinstance(block, ToolUse):
            content.append({"text": f"[Tool call {block.name}: {block.arguments}]"})

    def _result(self, block: ToolResult, fresh: str) -> Json:
        content = self._result_content(block)
        if len(content) == 1 and "text" in content[0]:
            plain = compact_object(content[0]["text"])
            if plain is not None:
                content = [{"json": plain}]
        return self._told(fresh, content, error=block.error)

    def _told(self, fresh: str, content: list[Json], *, error: bool) -> Json:
        result: Json = {"toolUseId": fresh, "content": content}
        if error and self.family.keeps_status:
            result["status"] = "error"
        elif error:
            result["content"] = [{"text": _FAILED}, *content]
        return {"toolResult": result}

    def _result_content(self, block: ToolResult) -> list[Json]:
        content: list[Json] = []
        for part in block.content:
            if isinstance(part, Image):
                content.append(image_block(part))
            elif isinstance(part, Document):
                content.append(document_block(part, self.documents))
            elif part.text.strip():
                content.append({"text": part.text})
        return content or [{"text": _EMPTY_RESULT}]

    def _mark(self, content: list[Json], block: Block) -> None:
        mark = mark_of(block)
        if mark is not None and self.family.keeps_cache_points:
            content.append(cache_point(mark, self.family))


def _thoughts(block: Thinking) -> Json:
    sealed = read_base64(block.redacted)
    if sealed is not None:
        return {"redactedContent": sealed}
    return {"reasoningText": {"text": block.text, "signature": block.signature}}
