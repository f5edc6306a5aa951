"""The parts of a request body that are decoded; everything else is skipped over."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from llmstack.errors import BadRequest

#: A member that the body does not have.
ABSENT = msgspec.UNSET
NO_RAW = msgspec.Raw(b"")

# ValueError covers the json module's errors and text that is not UTF-8.
_UNREADABLE = (msgspec.DecodeError, ValueError)


class Envelope(msgspec.Struct):
    """What every body may say: the model it wants and whether to stream."""

    model: Any = None
    stream: Any = None


class Body(Envelope):
    """The union of the dialects' members that a view needs.

    Tool definitions stay raw: their size matters, their content does not. Members are ``Any``
    because a client's odd value must not make the whole body unreadable.
    """

    messages: Any = ABSENT
    system: Any = None
    instructions: Any = None
    input: Any = None
    prompt: Any = None
    suffix: Any = None
    tools: msgspec.Raw = NO_RAW
    functions: msgspec.Raw = NO_RAW
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n_predict: Any = None
    prompt_cache_key: Any = None
    metadata: Any = None


AnyBody = TypeVar("AnyBody", bound=Envelope)
Anything = TypeVar("Anything")

_body = msgspec.json.Decoder(Body)
_envelope = msgspec.json.Decoder(Envelope)


def decode_body(body: bytes) -> Body:
    """Decode what a view needs. Raises BadRequest when ``body`` is no JSON object."""
    return _decode(_body, body)


def decode_envelope(body: bytes) -> Envelope:
    """Decode ``model`` and ``stream`` alone. Raises BadRequest like ``decode_body``."""
    return _decode(_envelope, body)


def model_name(envelope: Envelope) -> str | None:
    """The model a body names, None for none. Raises BadRequest when it is not a string."""
    model = envelope.model
    if model is None or isinstance(model, str):
        return model or None
    raise BadRequest(
        "The request's model is not a string",
        why=f'"model" is a JSON {_kind(model)}.',
        fix='Send "model" as a string such as "auto", or leave it out.',
    )


def _decode(decoder: msgspec.json.Decoder[AnyBody], body: bytes) -> AnyBody:
    try:
        return decoder.decode(body)
    except RecursionError:
        raise too_deep() from None
    except _UNREADABLE as error:
        if not body.lstrip(b" \t\r\n").startswith(b"{") and _is_json(body):
            raise BadRequest(
                "The request body is not a JSON object",
                why=str(error),
                fix='Send an object: {"model": "auto", "messages": [...]}.',
            ) from None
        return decode_mended(decoder, body, str(error))


def decode_mended(decoder: msgspec.json.Decoder[Anything], body: bytes, why: str) -> Anything:
    """Decode a ``body`` that the fast decoder has rejected because of ``why``.

    Raises:
        BadRequest: it is no JSON indeed, or not what ``decoder`` expects.
    """
    # Clients that cut text in the middle of an emoji send half a surrogate pair. That is valid
    # JSON, which the fast decoder rejects; only such bodies take this slow road.
    try:
        text = json.dumps(json.loads(body.decode()), ensure_ascii=False)
        return decoder.decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise too_deep() from None
    except _UNREADABLE:
        raise BadRequest(
            "The request body is not valid JSON",
            why=why,
            fix="Send a JSON object in UTF-8.",
        ) from None


def too_deep() -> BadRequest:
    """The error for a body whose nesting exceeds what can be read."""
    return BadRequest(
        "The request body is nested too deeply",
        why="Its arrays and objects contain each other hundreds of levels deep.",
        fix="Send a flatter body.",
    )


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (*_UNREADABLE, RecursionError):
        return False
    return True


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"
