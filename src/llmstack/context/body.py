"""A body's history, for the APIs whose bodies hold one, and its edits.

An edit changes what it names and leaves every other byte of the body as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.context import chat_history, messages_history, responses_history
from llmstack.context.content import joined, wide_chars
from llmstack.context.edits import LimitOutput
from llmstack.context.history import History
from llmstack.context.items import edit_items
from llmstack.context.limit import limit_output
from llmstack.context.raw import member, top_level
from llmstack.context.units import build, spoken_units
from llmstack.dialects.layout import cut
from llmstack.dialects.read import dialect_of
from llmstack.dialects.wire import Body, decode_body, too_deep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.edits import Edit
    from llmstack.context.history import Api

_SEE = {
    "chat": chat_history.see,
    "messages": messages_history.see,
    "responses": responses_history.see,
}


def read_history(path: str, body: bytes) -> History | None:
    """The history of a request ``body`` that was sent to ``path``.

    None when it has no list of items: completions, embeddings, an input that is one text. Odd
    items are units of kind ``other``. Raises BadRequest when ``body`` is no JSON object or nested
    too deeply.
    """
    api = dialect_of(path)
    if api not in ("chat", "messages", "responses"):
        return None
    decoded = decode_body(body)
    items = decoded.input if api == "responses" else decoded.messages
    if not isinstance(items, list):
        return None
    try:
        return _history(api, decoded, items)
    except RecursionError:
        raise too_deep() from None


def apply(path: str, body: bytes, edits: Sequence[Edit], history: History | None = None) -> bytes:
    """``body`` with ``edits`` made; the same object when they change nothing.

    ``history`` is what ``read_history`` says of this body, where somebody has it.
    Calls and their results stay together and each user's message that holds results begins with
    them. A text that is cut is the longest one where an edit names several.

    Raises:
        BadRequest: ``body`` is no JSON object, or nested too deeply.
        ValueError: an edit does not fit this body, or would part a call from its result.
    """
    if not edits:
        return body
    try:
        return _applied(path, body, edits, history)
    except RecursionError:
        raise too_deep() from None


def _applied(path: str, body: bytes, edits: Sequence[Edit], history: History | None) -> bytes:
    top = top_level(body)
    changed = False
    for edit in edits:
        if isinstance(edit, LimitOutput):
            changed = limit_output(top, edit.tokens) or changed
    others = [edit for edit in edits if not isinstance(edit, LimitOutput)]
    if others:
        history = history or read_history(path, body)
        listed = member(top, "input" if history and history.api == "responses" else "messages")
        if history is None or listed is None:
            raise ValueError("the body has no list of items to edit")
        items = cut(listed.value)
        if edit_items(history, items, others):
            listed.value = items.render()
            changed = True
    return top.render() if changed else body


def _history(api: Api, body: Body, items: list[Any]) -> History:
    seen = _SEE[api](items)
    units = build(seen)
    first, last = spoken_units(units, seen)
    front = ""
    if api != "chat":
        front = joined(body.system if api == "messages" else body.instructions)
    return History(
        api=api,
        units=units,
        first_task=first,
        last_user=last,
        front_chars=len(front),
        front_wide_chars=wide_chars(front),
        tools_chars=_json_chars(bytes(body.tools)) + _json_chars(bytes(body.functions)),
        max_output=_max_output(body),
    )


def _json_chars(raw: bytes) -> int:
    """Characters of a JSON text without the white space that only lays it out."""
    if raw in (b"", b"null", b"[]"):
        return 0
    if b"\n" in raw:
        raw = msgspec.json.format(raw, indent=-1)
    return len(raw) if raw.isascii() else len(raw.decode("utf-8", "replace"))


def _max_output(body: Body) -> int | None:
    limits = (
        body.max_completion_tokens,
        body.max_tokens,
        body.max_output_tokens,
        body.n_predict,
    )
    for limit in limits:
        if isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit >= 0:
            return int(limit)
    return None
