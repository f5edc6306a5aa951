"""Sampling defaults for what a request says nothing about; all else stays as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.filters import apply_filters
from llmstack.dialects.wire import decode_mended, too_deep

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Told(msgspec.Struct):
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    min_p: Any = None
    repetition_penalty: Any = None
    repeat_penalty: Any = None
    stream: Any = None
    stream_options: Any = None
    max_tokens: Any = None


_decoder = msgspec.json.Decoder(_Told)
#: The same thing in the words of different servers.
_SYNONYMS = {"repetition_penalty": ("repeat_penalty",)}


def fill_defaults(body: bytes, values: Mapping[str, float]) -> bytes:
    """``body`` with those ``values`` whose names it does not have, or has as null.

    Raises:
        BadRequest: ``body`` is no JSON object.
    """
    if not values:
        return body
    told = _told(body)
    missing = {
        name: value
        for name, value in values.items()
        if all(getattr(told, word) is None for word in (name, *_SYNONYMS.get(name, ())))
    }
    return apply_filters(body, set_params=missing) if missing else body


def wants_usage(body: bytes) -> bool | None:
    """Whether a streamed answer shall end with the number of tokens; None for one in one piece.

    Raises:
        BadRequest: ``body`` is no JSON object.
    """
    told = _told(body)
    if told.stream is not True:
        return None
    options = told.stream_options
    return isinstance(options, dict) and options.get("include_usage") is True


def ask_usage(body: bytes) -> bytes:
    """``body`` that asks for the number of tokens at the end of its stream."""
    return apply_filters(body, set_params={"stream_options.include_usage": True})


def without_usage(body: bytes) -> bytes:
    """``body`` without any wish about its stream."""
    return apply_filters(body, strip=["stream_options"])


def rename_limit(body: bytes) -> bytes:
    """``body`` with ``max_completion_tokens`` for its ``max_tokens``."""
    limit = _told(body).max_tokens
    if limit is None:
        return body
    return apply_filters(body, strip=["max_tokens"], set_params={"max_completion_tokens": limit})


def _told(body: bytes) -> _Told:
    try:
        return _decoder.decode(body)
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, ValueError) as error:
        return decode_mended(_decoder, body, str(error))
