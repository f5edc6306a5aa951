"""An upstream's error answers as ours."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from llmstack.activity.failure import error_message
from llmstack.backends.retry import retry_after_of
from llmstack.backends.translated import ELSEWHERE
from llmstack.errors import BackendFailed
from llmstack.http1 import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.http1 import Response

#: Bytes of an error answer that are read, and seconds that it may take.
_MOST, _PATIENCE = 64 * 1024, 10.0
#: How a server says that it has no such path, as a rule.
NO_PATH: Final = frozenset({404, 405, 501})
#: LM Studio says so with status 200, in fewer bytes than any answer has.
_UNEXPECTED = b'"Unexpected endpoint or method'
_DENIAL = 256
#: It is about the model.
_MODEL = re.compile(
    r"model_not_found|(not found|no such|unknown|found for requested)[^{}]{0,200}\bmodel"
    r"|\bmodel[^{}]{0,200}(not found|not exist|unknown)",
    re.IGNORECASE,
)
_CODES = {
    401: "upstream_unauthorized",
    403: "upstream_forbidden",
    404: "not_found",
    408: "timeout",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
    504: "timeout",
    529: "overloaded",
}


async def error_body(
    response: Response, most: int = _MOST, patience: float | None = _PATIENCE
) -> bytes:
    """What an error answer says: its beginning if it is long, what came if it breaks off."""
    pieces: list[bytes] = []
    size = 0
    with suppress(Broken, TimeoutError):
        async with asyncio.timeout(patience):
            while size < most and (data := await response.read()):
                pieces.append(data)
                size += len(data)
    return b"".join(pieces)[:most]


def is_ours(status: int) -> bool:
    """Whether an answer of that status is never the client's business as it is."""
    return status in {401, 403, 408, 429} or status >= 500 or 300 <= status < 400


def refusal(
    response: Response,
    body: bytes,
    *,
    name: str,
    key: str = "",
    hidden: Callable[[str], str] = str,
) -> BackendFailed:
    """The error for an error answer of the upstream called ``name``.

    ``key`` names the variable that holds our key there, ``hidden`` takes secrets out of a text.
    """
    status = response.status
    said = _printable(hidden(error_message(status, body)))
    wait = retry_after_of(response.header(b"retry-after"), time.time())
    if 300 <= status < 400:
        where = _printable((response.header(b"location") or b"").decode("latin-1"))
        return BackendFailed(
            f"{name} is not where it is asked: it answers {status} and names {where!r}",
            elsewhere=True,
            fix="Write the address that it names as base_url.",
        )
    why = fix = ""
    if status in {401, 403}:
        why = "The upstream refuses the key that it was shown, not yours."
        fix = f"Mend the variable {key} of the daemon." if key else "Name its key with api_key_env."
    return BackendFailed(
        f"{name} answered {status}: {said}",
        status=status if status < 600 else 502,
        code=_code(body) or _CODES.get(status, "upstream_error"),
        retry_after=wait,
        elsewhere=status in ELSEWHERE or status in {401, 403} or status >= 500,
        why=why,
        fix=fix,
    )


def may_deny(response: Response) -> bool:
    """Whether what looks like an answer is so short that it may say that there is none."""
    size = response.header(b"content-length") or b""
    return response.status == 200 and size.isdigit() and int(size) <= _DENIAL


def denies_path(status: int, body: bytes, model: str) -> bool:
    """Whether an upstream says that it has no such path; not that it has no such ``model``."""
    if status not in NO_PATH:
        return _UNEXPECTED in body
    text = body[:8192].decode("utf-8", "replace")
    named = model and re.search(rf"(?<![\w.-]){re.escape(model)}(?![\w.-])", text, re.IGNORECASE)
    return not (named or _MODEL.search(text))


def _code(body: bytes) -> str:
    """The upstream's own word for the error."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    error = told.get("error") if isinstance(told, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code.isidentifier() and len(code) <= 64 else ""


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:500]
