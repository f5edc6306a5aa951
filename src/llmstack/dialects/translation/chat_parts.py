"""The parts of a chat message's content: text, pictures and files, with their cache marks."""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from llmstack.dialects.translation.conversation import (
    CacheMark,
    Document,
    Image,
    Text,
)

if TYPE_CHECKING:
    from llmstack.dialects.translation.chat_members import Members

Part = Text | Image | Document


def read_parts(message: Members) -> tuple[Part, ...]:
    """The content of ``message``: a string or an array of parts. Empty text is left out.

    Raises:
        BadRequest: a part is malformed.
    """
    content = message.any("content")
    parts: list[Part] = []
    if isinstance(content, str):
        parts += [Text(content)] if content else []
    elif content is not None:
        if not isinstance(content, list):
            message.refuse("content", "a string or an array of parts")
        for one in content:
            part = _part(message, one)
            if part is not None:
                parts.append(part)
    return tuple(parts)


def marked_parts(message: Members) -> tuple[Part, ...]:
    """Like ``read_parts``; a mark of the whole message is its last part's."""
    parts, mark = read_parts(message), read_mark(message)
    if mark is None or (parts and parts[-1].cache is not None):
        return parts
    if not parts:
        message.drop("cache_control")
        return parts
    return (*parts[:-1], replace(parts[-1], cache=mark))


def read_mark(members: Members) -> CacheMark | None:
    """``cache_control`` as LiteLLM and OpenRouter take it."""
    control = members.object("cache_control")
    return None if control is None else CacheMark(control.text("ttl"))


def _part(message: Members, value: Any) -> Part | None:
    if isinstance(value, str):
        return Text(value) if value else None
    if not isinstance(value, dict):
        return message.refuse("content", "a string or an array of objects with a type")
    part = message.inner("content", value)
    kind = part.text("type")
    mark = read_mark(part)
    if kind in {"text", "input_text", "output_text"}:
        text = part.text("text")
        return Text(text, mark) if text else None
    if kind == "refusal":
        text = part.text("refusal")
        return Text(text, mark) if text else None
    if kind == "image_url":
        return _image(part, mark)
    if kind == "file":
        return _file(part, mark)
    if not kind:
        return part.refuse("type", 'a string such as "text" or "image_url"')
    part.drop(kind)
    return None


def _image(part: Members, mark: CacheMark | None) -> Image:
    detail = ""
    url = part.any("image_url")
    if not isinstance(url, str):
        inner = part.object("image_url") or part.refuse("image_url", "an object with a url")
        url, detail = inner.text("url"), inner.text("detail")
    if is_web(url):
        return Image(url=url, detail=detail, cache=mark)
    media_type, data = _data(part, "image_url.url", url)
    return Image(media_type, data, detail=detail, cache=mark)


def _file(part: Members, mark: CacheMark | None) -> Document:
    file = part.object("file") or part.refuse("file", "an object with file_data")
    data, name = file.text("file_data"), file.text("filename")
    if not data:
        file.refuse("file_data", "the file itself, as data:application/pdf;base64,...")
    if is_web(data):
        return Document(url=data, name=name, cache=mark)
    if not data.startswith("data:"):
        data = f"data:;base64,{data}"
    media_type, content = _data(file, "file_data", data)
    if not media_type and name.lower().endswith(".pdf"):
        media_type = "application/pdf"
    return Document(media_type, content, name=name, cache=mark)


def is_web(url: str) -> bool:
    """Whether ``url`` is one that an upstream may fetch."""
    return url[:8].lower().startswith(("http://", "https://"))


def _data(members: Members, name: str, url: str) -> tuple[str, bytes]:
    """What a data URL (RFC 2397) holds. Never anything that a server would fetch."""
    head, comma, text = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        members.refuse(name, "a URL with http:, https: or data:image/png;base64,...")
    media_type, *options = head[5:].split(";")
    if "base64" not in (option.strip().lower() for option in options):
        return media_type.strip().lower(), unquote_to_bytes(text)
    try:
        data = a2b_base64("".join(text.split()), strict_mode=True)
    except (NotBase64, ValueError):
        members.refuse(name, "base64 after the comma, padded")
    if not data:
        members.refuse(name, "base64 of something, not of nothing")
    return media_type.strip().lower(), data
