"""Change one value of a body and leave every other byte as it came."""

from __future__ import annotations

import json
import re

import msgspec

from llmstack.dialects.wire import decode_envelope, too_deep
from llmstack.errors import BadRequest

_KEY = b'"model"'
# A plain name or null; a key of that name in a tool's schema has an object there and does not
# match. Names with escapes or other letters are left to the parser, which knows what is valid.
_VALUE = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*("[ !#-\[\]-~]{0,512}"|null)')
_FIRST = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*(?=" + _VALUE.pattern + rb")")
_SPACE = re.compile(r"[ \t\r\n]*")
#: How many places are tried before the whole body is parsed.
_TRIES = 3

_decoder = json.JSONDecoder(strict=False)


def replace_model(body: bytes, name: str) -> bytes:
    """``body`` with ``name`` as the value of its top-level ``model``.

    Without such a key one is put first. Nothing else changes, not even whitespace. The usual
    layouts are spliced in place and checked by decoding ``model`` again; any other body is parsed
    once. Takes time linear in the body. Raises BadRequest when ``body`` is no JSON object.
    """
    value = msgspec.json.encode(name)
    first = _FIRST.match(body)
    if first:
        edited = _splice(body, *first.span(1), value)
        if _names(edited, name):
            return edited
    if _names(body, name):
        return body
    end = len(body)
    for _ in range(_TRIES):
        end = body.rfind(_KEY, 0, end)
        if end < 0:
            break
        found = _VALUE.match(body, end)
        if found:
            edited = _splice(body, *found.span(1), value)
            if _names(edited, name):
                return edited
    return _replace_parsed(body, value)


def _names(body: bytes, name: str) -> bool:
    # The body did not name it before, so that it does now proves the splice hit the right place.
    return bool(decode_envelope(body).model == name)


def _splice(body: bytes, start: int, end: int, value: bytes) -> bytes:
    return b"".join((body[:start], value, body[end:]))


def _replace_parsed(body: bytes, value: bytes) -> bytes:
    """Walk over the members of the top-level object and replace every ``model`` among them.

    ``body`` has been decoded before and is known to be valid.
    """
    # surrogateescape takes any bytes there and back unharmed.
    text = body.decode("utf-8", "surrogateescape")
    written = value.decode()
    kept: list[str] = []
    done = 0
    try:
        brace = text.index("{") + 1
        at = _skip(text, brace)
        while text[at] != "}":
            key, at = _decoder.raw_decode(text, at)
            start = _skip(text, _skip(text, at) + 1)
            _, end = _decoder.raw_decode(text, start)
            if key == "model":
                kept += (text[done:start], written)
                done = end
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
        if not kept:
            comma = "" if at == _skip(text, brace) else ","
            kept += (text[:brace], f'"model":{written}{comma}')
            done = brace
    except RecursionError:
        raise too_deep() from None
    except (ValueError, IndexError) as error:
        raise BadRequest(
            "The request body is not a JSON object",
            why=str(error),
            fix="Send a JSON object in UTF-8.",
        ) from None
    return ("".join(kept) + text[done:]).encode("utf-8", "surrogateescape")


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
