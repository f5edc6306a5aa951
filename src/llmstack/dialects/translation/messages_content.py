"""What a message of Anthropic's API holds, as blocks of a conversation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.conversation import (
    CacheMark,
    Document,
    Image,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from llmstack.dialects.translation.data_url import is_web, read_base64
from llmstack.dialects.translation.members import (
    list_of,
    name_of,
    object_of,
    optional_flag,
    optional_text,
    refuse,
    text_of,
)
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Block, Role
    from llmstack.dialects.translation.members import Dropped

#: Types of blocks that only one side may send.
_OWNERS: dict[str, Role] = {
    "image": "user",
    "document": "user",
    "search_result": "user",
    "tool_result": "user",
    "tool_use": "assistant",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
}
_TTL = re.compile(r"\d{1,4}[smh]")


def read_blocks(content: Any, where: str, role: Role, dropped: Dropped) -> tuple[Block, ...]:
    """A message's ``content``: a string, or a list of blocks.

    Raises:
        BadRequest: a block is malformed, or not one that ``role`` may send.
    """
    if isinstance(content, str):
        return (Text(content),) if content else ()
    blocks: list[Block] = []
    for position, value in enumerate(list_of(content, where)):
        here = f"{where}[{position}]"
        block = object_of(value, here)
        kind = name_of(block.get("type"), f"{here}.type")
        owner = _OWNERS.get(kind, role)
        if owner != role:
            raise BadRequest(
                f'"{here}" is a {kind} in a message of the role {role}',
                fix=f"Send it in a message of the role {owner}.",
            )
        blocks += _read(kind, block, here, dropped)
    return tuple(blocks)


def read_texts(content: Any, where: str, dropped: Dropped) -> tuple[Text, ...]:
    """A system prompt: a string, or a list of text blocks. Raises BadRequest."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(
        _text(object_of(value, f"{where}[{position}]"), f"{where}[{position}]", dropped)
        for position, value in enumerate(list_of(content, where))
    )


def read_cache(members: dict[str, Any], where: str, dropped: Dropped) -> CacheMark | None:
    """The mark that ``members`` bear as ``cache_control``. Raises BadRequest."""
    value = members.get("cache_control")
    if value is None:
        return None
    where = f"{where}.cache_control" if where else "cache_control"
    mark = object_of(value, where)
    if mark.get("type") != "ephemeral":
        refuse(f"{where}.type", mark.get("type"), '"ephemeral"')
    ttl = optional_text(mark.get("ttl"), f"{where}.ttl")
    if ttl and not _TTL.fullmatch(ttl):
        refuse(f"{where}.ttl", ttl, '"5m" or "1h"')
    dropped.add_unknown(mark, frozenset({"type", "ttl"}), where)
    return CacheMark(ttl)


def _read(kind: str, block: dict[str, Any], where: str, dropped: Dropped) -> tuple[Block, ...]:
    match kind:
        case "text":
            text = _text(block, where, dropped)
            return (text,) if text.text else ()
        case "image":
            image = _image(block, where, dropped)
            return (image,) if image else ()
        case "document":
            return _document(block, where, dropped)
        case "search_result":
            return _search_result(block, where, dropped)
        case "tool_result":
            return (_tool_result(block, where, dropped),)
        case "tool_use":
            return (_tool_use(block, where, dropped),)
        case "thinking":
            dropped.add_unknown(block, frozenset({"type", "thinking", "signature"}), where)
            said = optional_text(block.get("thinking"), f"{where}.thinking")
            return (Thinking(said, optional_text(block.get("signature"), f"{where}.signature")),)
        case "redacted_thinking":
            dropped.add_unknown(block, frozenset({"type", "data"}), where)
            return (Thinking(redacted=text_of(block.get("data"), f"{where}.data")),)
        case _:
            # What Anthropic's own servers did for the model, and what is yet to be invented.
            dropped.add(where, kind)
            return ()


def _text(block: dict[str, Any], where: str, dropped: Dropped) -> Text:
    if block.get("type") != "text":
        refuse(f"{where}.type", block.get("type"), '"text"')
    dropped.add_unknown(block, frozenset({"type", "text", "cache_control"}), where)
    return Text(text_of(block.get("text"), f"{where}.text"), read_cache(block, where, dropped))


def _image(block: dict[str, Any], where: str, dropped: Dropped) -> Image | None:
    dropped.add_unknown(block, frozenset({"type", "source", "cache_control"}), where)
    cache = read_cache(block, where, dropped)
    where = f"{where}.source"
    source = object_of(block.get("source"), where)
    match name_of(source.get("type"), f"{where}.type"):
        case "base64":
            return Image(_media_type(source, where), _bytes(source, where), cache=cache)
        case "url":
            return Image(url=_link(source, where), cache=cache)
        case kind:
            dropped.add(where, kind)
            return None


def _document(block: dict[str, Any], where: str, dropped: Dropped) -> tuple[Block, ...]:
    dropped.add_unknown(block, frozenset({"type", "source", "title", "cache_control"}), where)
    cache = read_cache(block, where, dropped)
    name = optional_text(block.get("title"), f"{where}.title")
    where = f"{where}.source"
    source = object_of(block.get("source"), where)
    match name_of(source.get("type"), f"{where}.type"):
        case "base64":
            data = _bytes(source, where)
            return (Document(_media_type(source, where), data, name=name, cache=cache),)
        case "url":
            return (Document(url=_link(source, where), name=name, cache=cache),)
        case "text":
            words = text_of(source.get("data"), f"{where}.data")
            return (Document("text/plain", words.encode(), name=name, cache=cache),)
        case "content":
            return _parts(source.get("content"), f"{where}.content", cache, name, dropped)
        case kind:
            dropped.add(where, kind)
            return ()


def _search_result(block: dict[str, Any], where: str, dropped: Dropped) -> tuple[Block, ...]:
    """A found page: its title and address become words before its own."""
    known = frozenset({"type", "source", "title", "content", "cache_control"})
    dropped.add_unknown(block, known, where)
    title = text_of(block.get("title"), f"{where}.title")
    source = text_of(block.get("source"), f"{where}.source")
    cache = read_cache(block, where, dropped)
    found = f"{title} ({source})"
    return _parts(block.get("content"), f"{where}.content", cache, found, dropped)


def _parts(
    content: Any, where: str, cache: CacheMark | None, name: str, dropped: Dropped
) -> tuple[Block, ...]:
    """Blocks that stand within another one, in its place."""
    blocks = read_blocks(content, where, "user", dropped)
    title: tuple[Block, ...] = (Text(name),) if name else ()
    return mark_last((*title, *_shown(blocks, where, dropped)), cache)


def mark_last(blocks: tuple[Block, ...], cache: CacheMark | None) -> tuple[Block, ...]:
    """``blocks`` whose last one bears ``cache``, unless it has a mark or cannot have one."""
    if cache is None or not blocks or isinstance(blocks[-1], Thinking) or blocks[-1].cache:
        return blocks
    return (*blocks[:-1], replace(blocks[-1], cache=cache))


def _tool_use(block: dict[str, Any], where: str, dropped: Dropped) -> ToolUse:
    dropped.add_unknown(block, frozenset({"type", "id", "name", "input", "cache_control"}), where)
    wanted = block.get("input")
    return ToolUse(
        name_of(block.get("id"), f"{where}.id"),
        name_of(block.get("name"), f"{where}.name"),
        msgspec.json.encode({} if wanted is None else object_of(wanted, f"{where}.input")).decode(),
        read_cache(block, where, dropped),
    )


def _tool_result(block: dict[str, Any], where: str, dropped: Dropped) -> ToolResult:
    known = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})
    dropped.add_unknown(block, known, where)
    content = block.get("content")
    inner = f"{where}.content"
    blocks = () if content is None else read_blocks(content, inner, "user", dropped)
    return ToolResult(
        name_of(block.get("tool_use_id"), f"{where}.tool_use_id"),
        _shown(blocks, inner, dropped),
        bool(optional_flag(block.get("is_error"), f"{where}.is_error")),
        read_cache(block, where, dropped),
    )


def _shown(
    blocks: tuple[Block, ...], where: str, dropped: Dropped
) -> tuple[Text | Image | Document, ...]:
    """What may stand within a result or a document."""
    shown: list[Text | Image | Document] = []
    for block in blocks:
        if isinstance(block, Text | Image | Document):
            shown.append(block)
        else:
            dropped.add(where, "tool_result")
    return tuple(shown)


def _media_type(source: dict[str, Any], where: str) -> str:
    return name_of(source.get("media_type"), f"{where}.media_type")


def _bytes(source: dict[str, Any], where: str) -> bytes:
    where = f"{where}.data"
    text = text_of(source.get("data"), where)
    return read_base64(text) or refuse(where, text, "base64")


def _link(source: dict[str, Any], where: str) -> str:
    where = f"{where}.url"
    url = name_of(source.get("url"), where)
    return url if is_web(url) else refuse(where, url, "an address with http: or https:")
