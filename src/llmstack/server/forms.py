"""Fields of urlencoded and multipart bodies: read one, replace one, keep every other byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote_plus

from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOUNDARY = re.compile(rb'(?i)[;\s]boundary=(?:"([^"]+)"|([^\s;"]+))')
_DISPOSITION = re.compile(rb"(?im)^content-disposition:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)")
_NAME = re.compile(rb'(?i);\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')
_FILE = re.compile(rb"(?i);\s*filename\*?=")


@dataclass(frozen=True, slots=True)
class Part:
    """A text field of a multipart body and where its value stands."""

    name: str
    start: int
    end: int


def form_value(form: bytes, name: str) -> str:
    """The first value of a field in an urlencoded body or query, or an empty text."""
    return next(_form_values(form, name), "")


def form_values(form: bytes, name: str) -> list[str]:
    """Every value of a field in an urlencoded body or query."""
    return list(_form_values(form, name))


def with_form_value(form: bytes, name: str, value: str) -> bytes:
    """``form`` with every value of a field replaced."""
    pieces = form.split(b"&")
    for index, piece in enumerate(pieces):
        key = piece.partition(b"=")[0]
        if _decoded(key) == name:
            pieces[index] = key + b"=" + quote_plus(value).encode()
    return b"&".join(pieces)


def multipart_value(body: bytes, content_type: bytes, name: str) -> str:
    """The first value of a text field of a multipart body, or an empty text."""
    return next(_multipart_values(body, content_type, name), "")


def multipart_values(body: bytes, content_type: bytes, name: str) -> list[str]:
    """Every value of a text field of a multipart body."""
    return list(_multipart_values(body, content_type, name))


def with_multipart_value(body: bytes, content_type: bytes, name: str, value: str) -> bytes:
    """``body`` with every value of a text field replaced; all parts keep their headers."""
    pieces = []
    done = 0
    for part in multipart_fields(body, content_type):
        if part.name == name:
            pieces += [body[done : part.start], value.encode()]
            done = part.end
    return b"".join([*pieces, body[done:]])


def multipart_fields(body: bytes, content_type: bytes) -> Iterator[Part]:
    """The text fields of a multipart body, in order; files are passed over.

    Raises:
        BadRequest: there is no boundary, or a part does not end.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest("could not parse multipart form: no multipart boundary param")
    line = b"--" + (found[1] or found[2])
    at = 0 if body.startswith(line) else _next(body, b"\r\n" + line, 0) + 2
    if at == 1:
        raise BadRequest("could not parse multipart form: its boundary does not occur")
    while body[at + len(line) : at + len(line) + 2] != b"--":
        blank = body.find(b"\r\n\r\n", at)
        end = _next(body, b"\r\n" + line, blank + 2)
        if blank < 0 or end < 0:
            raise BadRequest("could not parse multipart form: a part has no end")
        head = _DISPOSITION.search(body, at, blank + 2)
        name = head and _NAME.search(head[1])
        start = blank + 4
        if head and name and not _FILE.search(head[1]) and start <= end:
            text = name[1] if name[1] is not None else name[2]
            yield Part(text.decode("utf-8", "replace"), start, end)
        at = end + 2


def _next(body: bytes, line: bytes, at: int) -> int:
    """Where ``line`` next stands as a boundary, not as the beginning of a longer text; or -1."""
    while (at := body.find(line, at)) >= 0:
        after = body[at + len(line) : at + len(line) + 2]
        if after in (b"\r\n", b"--") or after[:1] in (b" ", b"\t"):
            return at
        at += 1
    return -1


def _form_values(form: bytes, name: str) -> Iterator[str]:
    for piece in form.split(b"&"):
        key, _, value = piece.partition(b"=")
        if _decoded(key) == name:
            yield _decoded(value)


def _multipart_values(body: bytes, content_type: bytes, name: str) -> Iterator[str]:
    for part in multipart_fields(body, content_type):
        if part.name == name:
            yield body[part.start : part.end].decode("utf-8", "replace")


def _decoded(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"), "utf-8", "replace")
