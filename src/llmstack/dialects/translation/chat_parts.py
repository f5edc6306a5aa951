"""The parts of a chat message's content: text, pictures and files, with their cache marks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import (
    CacheMark,
    Document,
    Image,
    Text,
)
from llmstack.dialects.translation.data_url import is_web, read_data_url, read_file_data

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
    shown: Part
    match kind:
        case "text" | "input_text" | "output_text":
            shown = Text(part.text("text"), read_mark(part))
        case "refusal":
            shown = Text(part.text("refusal"), read_mark(part))
        case "image_url":
            shown = _image(part, read_mark(part))
        case "file":
            shown = _file(part, read_mark(part))
        case "":
            part.refuse("type", 'a string such as "text" or "image_url"')
        case _:
            part.drop(kind)
            return None
    part.drop_rest()
    return None if shown == Text("", shown.cache) else shown


def _image(part: Members, mark: CacheMark | None) -> Image:
    source, name, detail = part, "image_url", ""
    if not isinstance(part.any(name), str):
        source, name = part.need_object(name, "an object with a url"), "url"
        detail = source.text("detail")
    url = source.text(name)
    if is_web(url):
        return Image(url=url, detail=detail, cache=mark)
    found = read_data_url(url)
    if found is None:
        source.refuse(name, "a URL with http:, https: or data:image/png;base64,...")
    media_type, data = found
    return Image(media_type, data, detail=detail, cache=mark)


def _file(part: Members, mark: CacheMark | None) -> Document:
    file = part.need_object("file", "an object with file_data")
    data, name = file.text("file_data"), file.text("filename")
    if is_web(data):
        return Document(url=data, name=name, cache=mark)
    found = read_file_data(data)
    if found is None:
        file.refuse("file_data", "the file itself: data:application/pdf;base64,...")
    media_type, content = found
    if not media_type and name.lower().endswith(".pdf"):
        media_type = "application/pdf"
    return Document(media_type, content, name=name, cache=mark)
