"""What clients put at the front of prompts and change on their own is made to stay the same.

A model server keeps what it computed for the longest prefix that two prompts share, so one letter
that changes near the front costs the whole prompt. Three things are put right, in the system text
and in the harness's blocks of the first user message, and nowhere else:

* The line ``x-anthropic-billing-header: cc_version=2.1.100.7b4; cc_entrypoint=cli; cch=eb6c6;``
  with which Claude Code begins its system text. ``cch`` and the last part of the version are
  digests of the request; they are left out, the rest stays.
* The time of day right after the current date (``Current date: 2026-11-21 19:32:20``). The date
  stays, so the model is told less but nothing wrong; a time without a date stays as it is.
* The order of tools (``tool_order``).

Ids and paths stay: a model may need them for its calls.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from llmstack.context.raw import is_text, member, read_text, top_level, written
from llmstack.context.tool_order import sort_tools, wanted_order
from llmstack.dialects.layout import cut
from llmstack.dialects.read import dialect_of
from llmstack.dialects.text import HARNESS_TAGS
from llmstack.dialects.wire import decode_mended
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects.layout import Item, Layout

_BILLING = b"x-anthropic-billing-header:"
_BILLING_LINE = re.compile(r"^x-anthropic-billing-header:[^\n]*", re.MULTILINE)
# Only the first blank of several is a place to begin, which keeps the search linear.
_DIGEST = re.compile(r"(?:(?<![ \t])[ \t]++)?\bcch=[0-9A-Za-z]*;?")
_VERSION = re.compile(r"\b(cc_version=\d+\.\d+\.\d+)\.[0-9A-Za-z]+")

#: Parts of the words that introduce the current moment; what is before may be upper or lower case.
_MARKS: Final = (b"urrent", b"oday", b"ate and time", b"ocal time")
#: How far from such words the time may stand, in bytes.
_REACH: Final = 160
#: Characters of the longest text in which times are looked for: no client has one like it.
_LONGEST: Final = 200_000
_CLOCK_BYTES = re.compile(rb"\d:\d\d")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = (
    r"(?:\d{4}-\d\d-\d\d|\d{1,4}[./]\d{1,2}[./]\d{1,4}"
    rf"|\b{_MONTH} \d{{1,2}}\b(?:,? \d{{4}}\b)?|\b\d{{1,2}}\.? {_MONTH},? \d{{4}}\b)"
)
_CLOCK = (
    r"(?:T|,? (?:at )?)\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?![\d:])"
    r"(?:[ \u202f]?[ap]\.?m\b\.?)?(?:Z\b|[+-]\d\d:?\d\d\b)?"
)
# What may stand between the words and the date, so that a line about formats is none about now.
_GAP = r"(?:(?!format|example|e\.g\.|such|like)[^\d]){0,60}?"
_NOW = re.compile(
    r"((?:current[ _]?(?:date|time)|today(?:'s)? (?:date|is)|date and time|local time)"
    rf"{_GAP}{_DATE}){_CLOCK}",
    re.IGNORECASE,
)
_TAGS = (*HARNESS_TAGS, "env")
_OPENING = re.compile(rf"<({'|'.join(_TAGS)})(?:[ \t][^<>\n]*)?>")


_NONE = msgspec.Raw(b"")


class _Front(msgspec.Struct):
    # Cut by the same pass that finds them, which is most of what a body with nothing to do costs.
    messages: list[msgspec.Raw] | str | None = None
    input: list[msgspec.Raw] | str | None = None
    system: msgspec.Raw = _NONE
    instructions: msgspec.Raw = _NONE
    tools: msgspec.Raw = _NONE


_front = msgspec.json.Decoder(_Front)


def clean(path: str, body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """``body`` with a steady front and the names of what was done.

    The names are ``billing header``, ``time of day`` and ``tool order``. A body with nothing to do
    is returned as the same object; one that cannot be read too, for others to refuse.
    """
    api = dialect_of(path)
    if api not in ("chat", "messages", "responses"):
        return body, ()
    front, order = _look(api, body)
    billing, clock = _BILLING in front, _states_time(front)
    if not (billing or clock or order):
        return body, ()
    done: list[str] = []
    try:
        top = top_level(body)
        if billing and _edit_front(api, top, _without_digests):
            done.append("billing header")
        if clock and _edit_front(api, top, _without_times):
            done.append("time of day")
        if order and sort_tools(top, order):
            done.append("tool order")
    except (BadRequest, ValueError, RecursionError):
        return body, ()
    return (top.render(), tuple(done)) if done else (body, ())


def _look(api: str, body: bytes) -> tuple[bytes, list[int]]:
    """The raw pieces that may need an edit, in one, and the order in which tools should be."""
    try:
        try:
            front = _front.decode(body)
        except (msgspec.DecodeError, ValueError):
            front = decode_mended(_front, body, "")
    except (BadRequest, RecursionError):
        return b"", []
    pieces = [bytes(piece) for piece in (front.system, front.instructions) if piece]
    items = front.input if api == "responses" else front.messages
    for item in items if isinstance(items, list) else ():
        pieces.append(bytes(item))
        if b'"user"' in pieces[-1] or b'"assistant"' in pieces[-1]:
            break
    tools = bytes(front.tools)
    return b"\n".join(pieces), wanted_order(tools) if tools else []


def _states_time(text: bytes) -> bool:
    for mark in _MARKS:
        at, looked = text.find(mark), 0
        while at >= 0:
            if _CLOCK_BYTES.search(text, max(at, looked - len("0:00")), at + _REACH):
                return True
            looked = at + _REACH
            at = text.find(mark, at + len(mark))
    return False


def _without_digests(text: str) -> str:
    def steady(line: re.Match[str]) -> str:
        return _VERSION.sub(r"\1", _DIGEST.sub("", line[0]))

    return _BILLING_LINE.sub(steady, text)


def _without_times(text: str) -> str:
    return _NOW.sub(r"\1", text) if len(text) <= _LONGEST else text


def _in_blocks(edit: Callable[[str], str]) -> Callable[[str], str]:
    """``edit`` for the harness's blocks of a text alone, in time linear in it."""

    def edited(text: str) -> str:
        kept: list[str] = []
        done = 0
        unclosed: set[str] = set()
        found = _OPENING.search(text)
        while found:
            closing = f"</{found[1]}>"
            end = -1 if closing in unclosed else text.find(closing, found.end())
            if end < 0:
                unclosed.add(closing)
                end = found.end()
            else:
                kept += (text[done : found.start()], edit(text[found.start() : end]))
                done = end
            found = _OPENING.search(text, end)
        return "".join((*kept, text[done:]))

    return edited


def _edit_front(api: str, top: Layout, edit: Callable[[str], str]) -> bool:
    """Edit the system text and the blocks of the first user message; whether that changed any."""
    changed = False
    for name in ("system", "instructions"):
        item = member(top, name) if api != "chat" else None
        if item is not None:
            changed = _edit_text(item, edit) or changed
    listed = member(top, "input" if api == "responses" else "messages")
    if listed is None or not listed.value.startswith(b"["):
        return changed
    items = cut(listed.value)
    inner = False
    for item in items.items:
        if not item.value.startswith(b"{"):
            break
        message = cut(item.value)
        role, content = member(message, "role"), member(message, "content")
        written_role = role.value if role is not None else b""
        if content is None or written_role not in (b'"system"', b'"developer"', b'"user"'):
            break
        is_user = written_role == b'"user"'
        if _edit_text(content, _in_blocks(edit) if is_user else edit):
            item.value = message.render()
            inner = True
        if is_user:
            break
    if inner:
        listed.value = items.render()
    return changed or inner


def _edit_text(item: Item, edit: Callable[[str], str]) -> bool:
    """Edit a text, or the texts of a list of parts."""
    value = item.value
    if is_text(value):
        text = read_text(value)
        edited = edit(text)
        if edited == text:
            return False
        item.value = written(edited)
        return True
    if not value.startswith(b"["):
        return False
    parts = cut(value)
    changed = False
    for part in parts.items:
        if not part.value.startswith(b"{"):
            continue
        fields = cut(part.value)
        text_member = member(fields, "text")
        if text_member is not None and is_text(text_member.value) and _edit_text(text_member, edit):
            part.value = fields.render()
            changed = True
    if changed:
        item.value = parts.render()
    return changed
