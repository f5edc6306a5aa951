"""Requests that are not read on, and the answer to them."""

from __future__ import annotations

from http import HTTPStatus


class Refused(Exception):
    """A request that cannot be read; the connection has to end after the answer ``status``."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def refusal(refused: Refused) -> bytes:
    """The whole answer."""
    status = HTTPStatus(refused.status)
    text = f"{status.phrase}: {refused.why}\n".encode("ascii", "replace")
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(text)}\r\n"
        "connection: close\r\n\r\n"
    ).encode() + text


def check_head(version: str, listed: list[tuple[bytes, bytes]]) -> bool:
    """Judge a head by those headers that matter for its framing; whether it expects a 100.

    ``listed`` are pairs of lower-case name and value. What the parser refuses is not looked at
    again: a length beside chunks, two lengths.

    Raises:
        Refused: RFC 9112 asks for it, or lets a server do it and that is safer.
    """
    hosts = 0
    expects = False
    for name, value in listed:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            if version == "1.0":
                raise Refused(400, "HTTP/1.0 has no chunked bodies")
            if value.lower() != b"chunked":
                raise Refused(501, "the only transfer coding here is chunked")
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(417, "the only expectation here is 100-continue")
            expects = version == "1.1"
    if version not in {"1.0", "1.1"}:
        raise Refused(505, "this server speaks HTTP/1.1")
    if hosts > 1 or (not hosts and version == "1.1"):
        raise Refused(400, "a request has one Host")
    return expects
