"""An answer that is an error, as one exception."""

from __future__ import annotations

import copyreg
import json
from typing import TYPE_CHECKING, Any, Literal, Protocol

from llmstack.context.overflow import read_overflow
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["auth", "not_found", "rate", "context", "server", "other"]

#: Characters of an error's text that become its message.
_SHOWN = 500
_IDS = ("x-request-id", "request-id")


class Answer(Protocol):
    """An HTTP answer that was read; the openai SDK's errors carry one as ``response``."""

    @property
    def status_code(self) -> int:
        """The status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""

    @property
    def content(self) -> bytes:
        """The body."""


class APIError(LlmstackError):
    """The server answered with a status that is not 2xx.

    ``code`` and ``type`` are the error object's, empty where it has none; ``body`` is the decoded
    JSON or else the text; ``request_id`` is the server's name for the request, where it gives one.
    ``kind`` says what to do about it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        type: str = "",  # noqa: A002  the wire's own name
        body: Any = None,
        request_id: str | None = None,
        kind: Kind | None = None,
    ) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.code = code
        self.type = type
        self.body = body
        self.request_id = request_id
        self.kind: Kind = kind or _kind(status)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are made again from ``args``; a pool of processes sends them.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]

    @classmethod
    def of(cls, answer: Answer) -> APIError:
        """The error in an answer.

        For the openai SDK's errors, to tell them apart as those of this client:
        ``APIError.of(error.response).kind``.
        """
        status, content = answer.status_code, answer.content
        text = content.decode("utf-8", "replace")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = text
        told = body.get("error") if isinstance(body, dict) else None
        error = told if isinstance(told, dict) else {}
        message = error.get("message") or told
        if not (isinstance(message, str) and message):
            message = text.strip()[:_SHOWN] or "no message"
        return cls(
            status,
            message,
            code=_word(error.get("code")),
            type=_word(error.get("type")),
            body=body,
            request_id=next((answer.headers[one] for one in _IDS if one in answer.headers), None),
            kind="context" if read_overflow(status, content) else None,
        )


def _kind(status: int) -> Kind:
    if status in (401, 403):
        return "auth"
    if status == 404:
        return "not_found"
    if status == 429:
        return "rate"
    return "server" if status >= 500 else "other"


def _word(value: object) -> str:
    """A code: servers write them as words or as numbers."""
    return "" if value is None or isinstance(value, bool) else str(value)
