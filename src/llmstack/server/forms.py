"""Fields of urlencoded and multipart bodies: read one, replace one, keep every other byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote_plus

from llmstack.errors import BadRequest, BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOUNDARY = re.compile(rb'(?i)[;\s]boundary=(?:"([^"]+)"|([^\s;"]+))')
_DISPOSITION = re.compile(rb"(?im)^content-disposition:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)")
_NAME = re.compile(rb'(?i);\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')
_FILE = re.compile(rb"(?i);\s*filename\*?=")

#: Largest urlencoded body in bytes, and most parts of a multipart body, as in Go's parsers: what is
#: beyond would only keep everybody else waiting.
FORM_LIMIT, PARTS = 10 * 1024 * 1024, 1000
#: Places that look like a boundary and are none, after which a body is given up.
_LOOKALIKES = 10_000


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
    written = b"=" + quote_plus(value).encode()

    def replaced(piece: re.Match[bytes]) -> bytes:
        return piece[1] + written if _decoded(piece[1]) == name else piece[0]

    return _pieces(name).sub(replaced, form)


def form_of(body: bytes, *, declared: bool) -> bytes:
    """``body`` if it may be a form: one that is very large and not declared to be one is none.

    Raises:
        BodyTooLarge: it is declared to be one, and larger than ``FORM_LIMIT``.
    """
    if len(body) <= FORM_LIMIT:
        return body
    if declared:
        raise BodyTooLarge(
            f"the form is larger than {FORM_LIMIT >> 20} MiB",
            fix="Send JSON or multipart/form-data.",
        )
    return b""


@lru_cache(maxsize=16)
def _pieces(name: str) -> re.Pattern[bytes]:
    """Matches pieces of a form whose key, escaped in whatever way, may be ``name``."""
    most = 3 * len(name.encode())
    key = rb"%b|[^&=]{0,%d}%%[^&=]{0,%d}" % (re.escape(name.encode()), most, most)
    return re.compile(rb"(?:^|(?<=&))(%b)(?:=([^&]*))?(?=&|\Z)" % key)


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
        BadRequest: there is no boundary, a part does not end, or there are too many.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest("could not parse multipart form: no multipart boundary param")
    line = b"--" + (found[1] or found[2])
    at = 0 if body.startswith(line) else _next(body, b"\r\n" + line, 0) + 2
    if at == 1:
        raise BadRequest("could not parse multipart form: its boundary does not occur")
    parts = 0
    while body[at + len(line) : at + len(line) + 2] != b"--":
        blank = body.find(b"\r\n\r\n", at)
        end = _next(body, b"\r\n" + line, blank + 2)
        if blank < 0 or end < 0:
            raise BadRequest("could not parse multipart form: a part has no end")
        parts += 1
        if parts > PARTS:
            raise BadRequest(f"could not parse multipart form: more than {PARTS} parts")
        head = _DISPOSITION.search(body, at, blank + 2)
        name = head and _NAME.search(head[1])
        start = blank + 4
        if head and name and not _FILE.search(head[1]) and start <= end:
            text = name[1] if name[1] is not None else name[2]
            yield Part(text.decode("utf-8", "replace"), start, end)
        at = end + 2


def _next(body: bytes, line: bytes, at: int) -> int:
    """Where ``line`` next stands as a boundary, not as the beginning of a longer text; or -1."""
    for _ in range(_LOOKALIKES):
        at = body.find(line, at)
        if at < 0:
            return -1
        after = body[at + len(line) : at + len(line) + 2]
        if after in (b"\r\n", b"--") or after[:1] in (b" ", b"\t"):
            return at
        at += 1
    return -1


def _form_values(form: bytes, name: str) -> Iterator[str]:
    for piece in _pieces(name).finditer(form):
        if _decoded(piece[1]) == name:
            yield _decoded(piece[2] or b"")


def _multipart_values(body: bytes, content_type: bytes, name: str) -> Iterator[str]:
    for part in multipart_fields(body, content_type):
        if part.name == name:
            yield body[part.start : part.end].decode("utf-8", "replace")


def _decoded(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"), "utf-8", "replace")
