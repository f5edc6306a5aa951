"""A summary in the place of what is dropped: how it is asked for, and whether it is one.

The request is the client's own up to the end of what is dropped, and one more user turn: so the
server has most of it in its cache already, and the slot's cache is not lost to another prompt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.dialects.layout import Item, cut

if TYPE_CHECKING:
    from llmstack.context.history import Api
    from llmstack.dialects.layout import Layout

HEADINGS: Final = ("Objective", "Decisions", "Files touched", "Done", "Open", "Next")
#: A summary that is shorter says nothing of a conversation that filled a window.
_SHORTEST: Final = 80
#: Headings that may be missing.
_MISSING: Final = 2

_ASK: Final = """\
[llmstack: the conversation above is about to leave the model's window. Do not answer it and do not\
 call a tool.]
Write a summary with which the work can go on without it. Plain text, under exactly these headings:
## Objective
what the user wants, in the user's own words where they matter, and all constraints
## Decisions
what was decided and why; what was tried and did not work
## Files touched
each path that was read, created or changed, with what matters about it
## Done
what is finished and how it was checked
## Open
what is unfinished, failing or not yet answered; exact error messages
## Next
the very next step
Keep exact names, paths, commands, numbers and error messages. Invent nothing. If there is an\
 earlier summary between <summary> tags above, carry over all of it that still holds.
"""
_THOUGHTS = re.compile(r"<think>.*?</think>|\A.*</think>", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[a-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)


def ask_for_summary(api: Api, body: bytes, max_output: int, *, think: bool = True) -> bytes:
    """``body`` with the instruction as its last turn, tools shown but not to be called.

    ``body`` ends with whole units. Members that would change the shape of the answer are taken
    out. Without ``think`` a chat template is told not to, so that all of ``max_output`` is for the
    summary. Raises ValueError for a body without a list of items.
    """
    layout = cut(body)
    listed = "input" if api == "responses" else "messages"
    items = next((item for item in layout.items if item.key == listed), None)
    if items is None:
        raise ValueError(f"the body has no {listed}")
    turns = cut(items.value)
    if turns.is_object:
        raise ValueError(f"{listed} is no list")
    turns.items.append(_element(_turn(api)))
    items.value = turns.render()
    wanted = _wanted(api, {item.key for item in layout.items}, max_output)
    if not think and api == "chat":
        wanted["chat_template_kwargs"] = {**_kwargs(layout), "enable_thinking": False}
    gone = _GONE - wanted.keys()
    layout.items = [item for item in layout.items if item.key not in gone]
    for name, value in wanted.items():
        written = msgspec.json.encode(value)
        found = [item for item in layout.items if item.key == name]
        for item in found:
            item.value = written
        if not found:
            layout.items.append(Item(msgspec.json.encode(name) + b":", name, written, b""))
    return layout.render()


#: Limits under other names, and what shapes an answer.
_GONE: Final = frozenset(
    (
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"),
        *("n", "stop", "stop_sequences", "response_format", "text", "grammar", "json_schema"),
        *("stream_options", "parallel_tool_calls", "thinking", "output_config"),
    )
)


def _wanted(api: Api, members: set[str | None], max_output: int) -> dict[str, Any]:
    limit = "max_output_tokens" if api == "responses" else "max_tokens"
    wanted: dict[str, Any] = {limit: max_output, "stream": False}
    if "tools" in members:
        wanted["tool_choice"] = {"type": "none"} if api == "messages" else "none"
    if api == "responses":
        wanted["store"] = False
    return wanted


def _kwargs(layout: Layout) -> dict[str, Any]:
    for item in layout.items:
        if item.key == "chat_template_kwargs":
            given = msgspec.json.decode(item.value)
            return given if isinstance(given, dict) else {}
    return {}


def _turn(api: Api) -> dict[str, Any]:
    if api == "responses":
        part = {"type": "input_text", "text": _ASK}
        return {"type": "message", "role": "user", "content": [part]}
    if api == "messages":
        return {"role": "user", "content": [{"type": "text", "text": _ASK}]}
    return {"role": "user", "content": _ASK}


def _element(value: Any) -> Item:
    return Item(b"", None, msgspec.json.encode(value), b"")


def read_summary(api: Api, answer: bytes) -> str | None:
    """The summary in an ``answer`` that was not streamed.

    None when it is none: an error, a tool call, too short, or without most of the headings.
    """
    try:
        decoded = msgspec.json.decode(answer)
        text = {"chat": _chat, "messages": _messages, "responses": _responses}[api](decoded)
    except (msgspec.DecodeError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    return _valid(text)


def _valid(text: str | None) -> str | None:
    if not text:
        return None
    plain = _THOUGHTS.sub("", text).strip()
    fenced = _FENCE.match(plain)
    plain = (fenced[1] if fenced else plain).strip()
    lines = {re.sub(r"[#*:_ ]+", " ", line).strip().casefold() for line in plain.splitlines()}
    missing = [heading for heading in HEADINGS if heading.casefold() not in lines]
    if len(plain) < _SHORTEST or len(missing) > _MISSING:
        return None
    return plain.replace("</summary>", "").replace("<summary>", "")


def _chat(answer: Any) -> str | None:
    message = answer["choices"][0]["message"]
    if message.get("tool_calls") or message.get("function_call"):
        return None
    content = message["content"]
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content if isinstance(content, str) else None


def _messages(answer: Any) -> str | None:
    blocks = answer["content"]
    if any(block["type"] == "tool_use" for block in blocks):
        return None
    return "".join(block["text"] for block in blocks if block["type"] == "text")


def _responses(answer: Any) -> str | None:
    output = answer["output"]
    if any(item["type"] not in ("message", "reasoning") for item in output):
        return None
    return "".join(
        part["text"]
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )
