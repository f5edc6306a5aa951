"""Request bodies of Ollama's API, decoded (Ollama's API reference; ``api/types.go`` for types).

Members that nobody here needs are passed over. A null is as good as a missing member, as in Go.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from llmstack.dialects.wire import decode_mended, too_deep
from llmstack.errors import BadRequest


class CalledFunction(msgspec.Struct):
    """The function of a tool call; ``arguments`` is an object here, a text in OpenAI's API."""

    name: str | None = None
    arguments: dict[str, Any] | None = None


class ToolCall(msgspec.Struct):
    """One call that an assistant made."""

    function: CalledFunction
    id: str | None = None


class Message(msgspec.Struct):
    """One message. ``images`` are base64."""

    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Named(msgspec.Struct, kw_only=True):
    """What every body has. Old clients say ``name`` for ``model``."""

    model: str | None = None
    name: str | None = None
    keep_alive: str | float | None = None
    options: dict[str, Any] | None = None


class Generating(Named, kw_only=True):
    """What chat and generate have in common. Streaming is what happens unless it is refused."""

    stream: bool | None = None
    format: Any = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class ChatBody(Generating, kw_only=True):
    """``POST /api/chat``. ``tools`` are OpenAI's already."""

    messages: list[Message] | None = None
    tools: list[Any] | None = None


class GenerateBody(Generating, kw_only=True):
    """``POST /api/generate``."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = None
    images: list[str] | None = None


class EmbedBody(Named, kw_only=True):
    """``POST /api/embed``."""

    input: str | list[str] | None = None
    dimensions: int | None = None


class EmbeddingsBody(Named, kw_only=True):
    """``POST /api/embeddings``, the older of the two."""

    prompt: str | None = None


AnyBody = TypeVar("AnyBody", bound=Named)


def decode_ollama(body: bytes, kind: type[AnyBody]) -> AnyBody:
    """``body`` as a ``kind``.

    Raises:
        BadRequest: it is no JSON object, or a member has the wrong type.
    """
    if not body.strip():
        raise BadRequest("missing request body")
    try:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, ValueError) as error:
            return decode_mended(msgspec.json.Decoder(kind), body, str(error))
    except msgspec.ValidationError as error:
        raise BadRequest(f"the request cannot be understood: {error}") from None
    except RecursionError:
        raise too_deep() from None
