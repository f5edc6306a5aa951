"""The head of an answer, and how the body that follows it is framed."""

from __future__ import annotations

import http
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BODILESS = (204, 304)

#: Headers whose names we do not pass on: how this connection frames its bodies is our business.
_OWN = (b"transfer-encoding", b"keep-alive")


@dataclass(slots=True)
class Framing:
    """What is known of the body once the head is written.

    ``left`` are the bytes that a Content-Length still promises, None without one. A body that is
    neither ``chunked`` nor promised ends with the connection.
    """

    bodiless: bool = False
    chunked: bool = False
    left: int | None = None
    close: bool = False


def answer_head(
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    method: str,
    old: bool,
    close: bool,
) -> tuple[bytes, Framing]:
    """The head's bytes and the framing of the body.

    ``old`` says that the client speaks HTTP/1.0, ``close`` that the connection is to end after
    this answer; the answer's own ``Connection: close`` does the same.

    Raises:
        ValueError: a header would break the head, or there are two lengths.
    """
    framing = Framing(bodiless=method == "HEAD" or status in _BODILESS, close=close)
    pieces = [_status_line(status)]
    values = []
    for name, value in headers:
        name, prefix = _name(name)  # noqa: PLW2901  in lower case from here on
        if name == b"content-length":
            if framing.left is not None:
                raise ValueError("an answer has two lengths")
            framing.left = _length(value)
        elif name == b"connection":
            framing.close = framing.close or b"close" in value.lower()
            continue
        elif name in _OWN:
            continue
        values.append(value)
        pieces += (prefix, value, b"\r\n")
    if _FORBIDDEN.search(b"".join(values)):
        raise ValueError("the value of an answer's header has a control character")
    if framing.left is None and not framing.bodiless:
        if old:
            framing.close = True
        else:
            framing.chunked = True
            pieces.append(b"transfer-encoding: chunked\r\n")
    pieces.append(b"connection: close\r\n\r\n" if framing.close else b"\r\n")
    return b"".join(pieces), framing


@lru_cache(maxsize=512)
def _name(name: bytes) -> tuple[bytes, bytes]:
    """The name in lower case, and what a line of that name begins with."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"an answer has a header named {name!r}")
    lower = name.lower()
    return lower, lower + b": "


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status:03d} {phrase}\r\n".encode()


def _length(value: bytes) -> int:
    if not value.isdigit():
        raise ValueError("an answer's length is not a number")
    return int(value)
