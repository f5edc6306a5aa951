"""Short questions to an upstream: a whole JSON answer, or an error that says why there is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.errors import BackendFailed
from llmstack.http1 import Broken, Limits, Unreachable

if TYPE_CHECKING:
    from llmstack.backends.protocol import Headers
    from llmstack.http1 import Pool, Response

#: Bytes of the longest answer that is read: lists of thousands of models are far shorter.
MOST: Final = 16 * 1024 * 1024


async def fetch(
    pool: Pool,
    base: str,
    path: str,
    headers: Headers,
    *,
    body: object = None,
    seconds: float,
    most: int = MOST,
) -> Any:
    """The decoded answer of ``base`` + ``path``; a POST of ``body`` as JSON if there is one.

    ``headers`` are the upstream's (``outgoing.outgoing_headers``). ``seconds`` bounds all of it.

    Raises:
        BackendFailed: it did not come, is an error (with its status), too long, or no JSON.
    """
    method, data = ("GET", b"") if body is None else ("POST", msgspec.json.encode(body))
    sent = [(b"accept", b"application/json"), *headers]
    if data:
        sent.append((b"content-type", b"application/json"))
    try:
        async with asyncio.timeout(seconds):
            limits = Limits(connect=seconds, handshake=seconds)
            response = await pool.request(method, base, path.encode(), sent, data, limits)
            try:
                text = await _whole(response, most)
            finally:
                response.close()
    except TimeoutError:
        raise _failed(base, f"no answer within {seconds:g} s", status=504) from None
    except (Unreachable, Broken) as error:
        raise _failed(base, str(error)) from None
    if response.status != 200:
        raise _failed(base, f"{path} answers {response.status}", status=response.status)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _failed(base, f"{path} does not answer with JSON") from None


async def _whole(response: Response, most: int) -> bytes:
    pieces, size = [], 0
    while piece := await response.read():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise Broken(f"its answer is longer than {most >> 20} MB")
    return b"".join(pieces)


def _failed(base: str, why: str, *, status: int = 502) -> BackendFailed:
    return BackendFailed(f"{base} cannot be asked: {why}", status=status, elsewhere=True, why=why)
