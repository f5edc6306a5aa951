"""Marks of what is worth keeping, as Converse's cache points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import Thinking, ToolResult

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Block, CacheMark
    from llmstack.dialects.translation.converse_family import Family

Json = dict[str, Any]

#: Claude on Bedrock keeps at most this many parts of a prompt.
MOST_CACHE_POINTS = 4


def mark_of(block: Block) -> CacheMark | None:
    """The mark on ``block``; a result has no room for marks inside, so they count for all of it."""
    if isinstance(block, ToolResult):
        return block.cache or next((part.cache for part in block.content if part.cache), None)
    return None if isinstance(block, Thinking) else block.cache


def cache_point(mark: CacheMark, family: Family) -> Json:
    """The block that follows what is worth keeping. Five minutes need no saying."""
    point = {"type": "default"}
    if mark.ttl == "1h" and family.vendor != "nova":
        point["ttl"] = "1h"
    return {"cachePoint": point}


def limit_cache_points(body: Json) -> None:
    """Keep the last marks: they hold the most."""
    lists = [body.get("toolConfig", {}).get("tools", []), body.get("system", [])]
    lists += [message["content"] for message in body["messages"]]
    surplus = sum("cachePoint" in block for blocks in lists for block in blocks)
    surplus -= MOST_CACHE_POINTS
    for blocks in lists:
        kept = []
        for block in blocks:
            if surplus > 0 and "cachePoint" in block:
                surplus -= 1
            else:
                kept.append(block)
        blocks[:] = kept
