"""Answers of Anthropic's API as Anthropic's own library understands them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic.types import Message

ASKED: Any = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "x"}],
}


def client(body: bytes, kind: str, status: int = 200) -> anthropic.Anthropic:
    """The library, whose requests are all answered with ``body``."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            status, headers={"content-type": kind}, content=body, request=request
        )

    return anthropic.Anthropic(
        base_url="http://upstream",
        api_key="none",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


def streamed(body: bytes) -> Message:
    """The message that a stream adds up to. Raises the library's error for one that fails."""
    with client(body, "text/event-stream") as claude, claude.messages.stream(**ASKED) as stream:
        return stream.get_final_message()


def received(body: bytes, status: int = 200) -> Message:
    """The message that an answer is. Raises the library's error for one that is none."""
    with client(body, "application/json", status) as claude:
        answer: Message = claude.messages.create(**ASKED)
        return answer


def events(body: bytes) -> Iterator[Any]:
    """Each event of a stream, of its type in the library."""
    with client(body, "text/event-stream") as claude:
        yield from claude.messages.create(**ASKED, stream=True)
