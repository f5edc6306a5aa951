"""Members and texts of raw JSON: found, replaced and joined without touching their neighbours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from llmstack.dialects.layout import cut
from llmstack.dialects.wire import decode_envelope
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.layout import Item, Layout


def top_level(body: bytes) -> Layout:
    """The members of a request's body.

    Raises:
        BadRequest: it is no JSON object.
        RecursionError: it is nested too deeply.
    """
    try:
        top = cut(body)
        if top.is_object:
            return top
    except ValueError:
        pass
    decode_envelope(body)  # says what is wrong with it
    raise BadRequest("The request body is not a JSON object")


def member(layout: Layout, name: str) -> Item | None:
    """The member of an object that counts: of a name that occurs twice, the last."""
    return next((item for item in reversed(layout.items) if item.key == name), None)


def written(text: str) -> bytes:
    """``text`` as JSON."""
    try:
        return msgspec.json.encode(text)
    except UnicodeEncodeError:  # half of a surrogate pair, which a client sent
        return json.dumps(text).encode()


def read_text(raw: bytes) -> str:
    """The text that a JSON string stands for, halves of surrogate pairs and all."""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, ValueError):
        return str(json.loads(raw.decode("utf-8", "surrogateescape")))


def is_text(raw: bytes) -> bool:
    """Whether a JSON value is a string."""
    return raw.startswith(b'"')


def before(raw: bytes, text: str) -> bytes:
    """A JSON string with ``text`` and an empty line put before it; the rest keeps its bytes."""
    return written(f"{text}\n\n" if raw != b'""' else text)[:-1] + raw[1:]


def after(raw: bytes, text: str) -> bytes:
    """A JSON string with an empty line and ``text`` put after it; the rest keeps its bytes."""
    return raw[:-1] + written(f"\n\n{text}" if raw != b'""' else text)[1:]
