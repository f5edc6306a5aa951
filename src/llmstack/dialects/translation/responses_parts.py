"""The parts of a message of the Responses API: optional_text, pictures, files."""

from __future__ import annotations

from typing import Any

from llmstack.dialects.translation.conversation import Document, Image, Text
from llmstack.dialects.translation.data_url import is_web, read_data_url, read_file_data
from llmstack.dialects.translation.members import (
    name_of,
    optional_text,
    refuse,
    text_of,
)
from llmstack.errors import BadRequest

#: How data is written.
_AS = "base64: data:<media type>;base64,..."
_KINDS = '"input_text", "input_image", "input_file", "output_text" or "refusal"'
_SPOKEN = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


def read_parts(content: object, where: str) -> tuple[Text | Image | Document, ...]:
    """What ``content`` holds: a string or an array of parts. Empty words are left out.

    Raises:
        BadRequest: it is neither, or a part cannot be understood.
    """
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if not isinstance(content, list):
        refuse(where, content, "a string or an array of parts")
    parts = [_part(part, f"{where}[{at}]") for at, part in enumerate(content)]
    return tuple(part for part in parts if not isinstance(part, Text) or part.text)


def read_texts(content: object, where: str) -> tuple[Text, ...]:
    """The words of ``content``, which must hold nothing else."""
    texts = []
    for part in read_parts(content, where):
        if not isinstance(part, Text):
            refuse(where, content, "text; pictures and files belong into a user's message")
        texts.append(part)
    return tuple(texts)


def _part(part: object, where: str) -> Text | Image | Document:
    if not isinstance(part, dict):
        refuse(where, part, 'an object such as {"type": "input_text", "text": "..."}')
    kind = part.get("type")
    if isinstance(kind, str):
        if kind in _SPOKEN:
            return Text(text_of(part.get("text"), f"{where}.text"))
        if kind == "refusal":
            return Text(text_of(part.get("refusal"), f"{where}.refusal"))
        if kind == "input_image":
            return _image(part, where)
        if kind == "input_file":
            return _file(part, where)
    return refuse(f"{where}.type", kind, _KINDS)


def _image(part: dict[str, Any], where: str) -> Image:
    _no_file_id(part, where, "image_url")
    url = name_of(part.get("image_url"), f"{where}.image_url")
    detail = optional_text(part.get("detail"), f"{where}.detail")
    found = read_data_url(url)
    if found is None:
        return Image(url=_link(url, f"{where}.image_url"), detail=detail)
    return Image(*found, detail=detail)


def _file(part: dict[str, Any], where: str) -> Document:
    _no_file_id(part, where, "file_data")
    name = optional_text(part.get("filename"), f"{where}.filename")
    if part.get("file_data") is None:
        url = name_of(part.get("file_url"), f"{where}.file_url")
        return Document(url=_link(url, f"{where}.file_url"), name=name)
    written = text_of(part["file_data"], f"{where}.file_data")
    found = read_file_data(written) or refuse(f"{where}.file_data", written, _AS)
    return Document(*found, name=name)


def _no_file_id(part: dict[str, Any], where: str, instead: str) -> None:
    if part.get("file_id") is not None:
        raise BadRequest(
            "The request names an uploaded file",
            why=f'"{where}.file_id" is set, and this server keeps no files.',
            fix=f'Send the file itself as "{instead}": "data:<media type>;base64,...".',
        )


def _link(url: str, where: str) -> str:
    return url if is_web(url) else refuse(where, url, f"an address with http: or https:, or {_AS}")
