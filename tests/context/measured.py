"""The history of a body, measured plainly: one unit for each item."""

from __future__ import annotations

import json
from typing import Any

from llmstack.context.history import Api, History, Unit

#: From Greek on, but for punctuation.
_WIDE, _MARKS = 0x370, range(0x2000, 0x2070)


def wide(text: str) -> int:
    return sum(ord(one) >= _WIDE and ord(one) not in _MARKS for one in text)


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def history_of(path: str, body: dict[str, Any]) -> History:
    """What ``body``, sent to ``path``, consists of."""
    api: Api = "messages" if "messages" in path else "responses" if "responses" in path else "chat"
    front = body.get("system" if api == "messages" else "instructions") or ""
    front = front if isinstance(front, str) else "".join(part["text"] for part in front)
    items = body["input" if api == "responses" else "messages"]
    return History(
        api,
        tuple(_unit(index, item) for index, item in enumerate(items)),
        None,
        None,
        len(front),
        wide(front),
        len(written(tools)) if (tools := body.get("tools")) else 0,
    )


def _unit(index: int, item: dict[str, Any]) -> Unit:
    said, carried, images = _content(item.get("content", item.get("output")))
    carried += "".join(
        written(item[name]) for name in ("tool_calls", "arguments", "name") if item.get(name)
    )
    seen = wide(said) + wide(carried)
    return Unit("other", index, index + 1, len(said), len(carried), seen, images)


def _content(content: Any) -> tuple[str, str, int]:
    """Text, data and pictures."""
    if isinstance(content, str):
        return content, "", 0
    said, carried, images = "", "", 0
    for part in content or ():
        if "image" in part["type"]:
            images += 1
        elif part["type"] == "tool_use":
            carried += written([part["name"], part["input"]])
        elif part["type"] == "tool_result":
            said += _content(part["content"])[0]
        else:
            said += part["text"]
    return said, carried, images
