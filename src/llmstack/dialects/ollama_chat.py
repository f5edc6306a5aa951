"""Messages and tool calls of Ollama's API as those of OpenAI's."""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects.ollama_body import Message, ToolCall

#: How base64 begins for the formats that models see; the rest is called PNG and left to the model.
_KINDS = (("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp"), ("Qk", "bmp"))


def messages_to_openai(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The conversation in OpenAI's form.

    Ollama's calls need no ids and its results name their tool instead. Ids are made up where they
    are missing, and each result gets the id of the first call before it that fits.

    Raises:
        BadRequest: an image is no base64.
    """
    told: list[dict[str, Any]] = []
    open_calls: list[tuple[str, str]] = []  # id, name
    made = 0
    for message in messages:
        role = (message.role or "user").lower()
        one: dict[str, Any] = {"role": role, "content": content(message.content, message.images)}
        if message.thinking:
            one["reasoning_content"] = message.thinking
        if message.tool_calls:
            calls = []
            for call in message.tool_calls:
                made += 1
                calls.append(_call(call, call.id or f"call_{made}"))
            one["tool_calls"] = calls
            open_calls = [(call["id"], call["function"]["name"]) for call in calls]
        if role == "tool":
            given = message.tool_call_id or _answered(open_calls, message.tool_name)
            open_calls = [call for call in open_calls if call[0] != given]
            one["tool_call_id"] = given
            if message.tool_name:
                one["name"] = message.tool_name
        told.append(one)
    return told


def content(text: str | None, images: list[str] | None) -> str | list[dict[str, Any]]:
    """Text alone, or the images and then the text, which is the order in which Ollama puts them.

    Raises:
        BadRequest: an image is no base64.
    """
    if not images:
        return text or ""
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(image)}} for image in images
    ]
    if text:
        parts.append({"type": "text", "text": text})
    return parts


def data_url(image: str) -> str:
    """A base64 image as a URL. Never anything that a server would fetch.

    Raises:
        BadRequest: it is no base64.
    """
    try:
        a2b_base64(image, strict_mode=True)
    except (NotBase64, ValueError) as error:
        raise BadRequest(
            f"an image is not base64: {error}", fix="Send the bytes of the image as base64."
        ) from None
    kind = next((kind for start, kind in _KINDS if image.startswith(start)), "png")
    return f"data:image/{kind};base64,{image}"


def _call(call: ToolCall, given: str) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.function.arguments or {}).decode()
    return {
        "id": given,
        "type": "function",
        "function": {"name": call.function.name or "", "arguments": arguments},
    }


def _answered(open_calls: list[tuple[str, str]], tool: str | None) -> str:
    """The id of the call that a result of ``tool`` belongs to."""
    for given, name in open_calls:
        if not tool or name == tool:
            return given
    return open_calls[0][0] if open_calls else f"call_{tool or 'unknown'}"
