"""Where two prompts of one conversation first differ, without keeping either of them."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from llmstack.context.raw import top_level
from llmstack.dialects.layout import cut
from llmstack.dialects.read import dialect_of
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Bytes of one link.
SIZE: Final = 16
#: What comes before the list of items: names of the chain's first links.
FRONT: Final = ("system", "tools", "template options")

_NONE = msgspec.Raw(b"")
# Marks for Anthropic's own cache wander from message to message and are no part of a prompt.
_CACHE_MARK = re.compile(rb'(?:,\s*)?"cache_control"\s*:\s*(?:null|\{[^{}\\]*\})')
# A client that sets such a mark writes the same text as a list of one part.
_ONE_PART = re.compile(rb'\[\{"type":"text","text":("(?:[^"\\]++|\\.)*+")\}\]', re.DOTALL)


class _Front(msgspec.Struct):
    messages: msgspec.Raw = _NONE
    input: msgspec.Raw = _NONE
    system: msgspec.Raw = _NONE
    instructions: msgspec.Raw = _NONE
    tools: msgspec.Raw = _NONE
    functions: msgspec.Raw = _NONE
    chat_template_kwargs: msgspec.Raw = _NONE
    reasoning_effort: msgspec.Raw = _NONE
    reasoning: msgspec.Raw = _NONE
    thinking: msgspec.Raw = _NONE


_front = msgspec.json.Decoder(_Front)
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_names = frozenset(_Front.__struct_fields__)


def chain(path: str, body: bytes) -> tuple[bytes, ...]:
    """One link for each of ``FRONT``, then one for each item; each stands for all before it too.

    Empty for a body without a list of items and for one that cannot be read.
    """
    api = dialect_of(path)
    if api not in ("chat", "messages", "responses"):
        return ()
    try:
        front = _read(body)
        items = _items(bytes(front.input if api == "responses" else front.messages))
    except (BadRequest, ValueError, RecursionError):
        return ()
    return tuple(_links(front, items))


def first_difference(old: Sequence[bytes], new: Sequence[bytes]) -> int | None:
    """The first link that is not the same; None while one chain only continues the other."""
    pairs = zip(old, new, strict=False)
    return next((index for index, (one, other) in enumerate(pairs) if one != other), None)


def place(path: str, link: int) -> str:
    """What a link stands for: ``system``, ``tools``, ``messages[7]``."""
    if link < len(FRONT):
        return FRONT[link]
    return f"{'input' if dialect_of(path) == 'responses' else 'messages'}[{link - len(FRONT)}]"


def _read(body: bytes) -> _Front:
    try:
        return _front.decode(body)
    except (msgspec.DecodeError, ValueError):
        # Half an emoji is refused by the fast decoder; the pieces are the same on the slow road.
        top = top_level(body)
        return _Front(
            **{item.key: msgspec.Raw(item.value) for item in top.items if item.key in _names}
        )


def _items(raw: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _elements.decode(raw)]
    except (msgspec.DecodeError, ValueError):
        layout = cut(raw)
        if layout.is_object:
            raise ValueError("not a list") from None
        return [item.value for item in layout.items]


def _links(front: _Front, items: list[bytes]) -> Iterator[bytes]:
    link = b""
    options = (front.chat_template_kwargs, front.reasoning_effort, front.reasoning, front.thinking)
    for pieces in (
        (front.system, front.instructions),
        (front.tools, front.functions),
        options,
        *((item,) for item in items),
    ):
        digest = blake2b(link, digest_size=SIZE)
        for piece in pieces:
            raw = _plain(bytes(piece))
            digest.update(b"%d:" % len(raw))
            digest.update(raw)
        link = digest.digest()
        yield link


def _plain(raw: bytes) -> bytes:
    if b'"cache_control"' in raw:
        raw = _CACHE_MARK.sub(b"", raw)
    if b'[{"type":"text","text":' in raw:
        raw = _ONE_PART.sub(rb"\1", raw)
    return raw
