"""An answer in the client's API, made of an upstream's events in another.

Until the first event that the client would see, a failure is an error with a status; after it, it
is an error event and the proper end of the client's API.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from uuid import uuid4

from llmstack.dialects.translation import (
    chat_reply,
    chat_request,
    completions_reply,
    completions_request,
    messages_reply,
    messages_request,
    responses_reply,
    responses_request,
)
from llmstack.dialects.translation.reply import Failed, Origin, Usage
from llmstack.errors import BackendFailed, BadRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from llmstack.backends.protocol import Ask, Headers
    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event

#: Statuses after which another tier may well answer: it is busy, tired or gone.
ELSEWHERE: Final = frozenset({408, 429, 500, 502, 503, 504, 529})


class Writer(Protocol):
    """Writes one streamed answer."""

    def start(self) -> bytes:
        """What comes first."""

    def take(self, event: Event) -> bytes:
        """What is due for ``event``."""

    def end(self) -> bytes:
        """What comes last."""


class Api(NamedTuple):
    """How one of the clients' APIs is read and written."""

    read: Callable[[bytes], Conversation]
    stream: Callable[[Origin, Conversation], Writer]
    whole: Callable[[Origin, Conversation, Iterable[Event]], bytes]


#: By path. What is not here cannot be translated.
APIS: Final = {
    "/v1/chat/completions": Api(chat_request.read_chat, chat_reply.ChatStream, chat_reply.whole),
    "/v1/completions": Api(
        completions_request.read_completions,
        completions_reply.CompletionsStream,
        completions_reply.whole,
    ),
    "/v1/messages": Api(
        messages_request.read_messages, messages_reply.MessagesStream, messages_reply.whole
    ),
    "/v1/responses": Api(
        responses_request.read_responses, responses_reply.ResponsesStream, responses_reply.whole
    ),
}
#: Answered with the number of tokens of a Messages request.
COUNT_TOKENS: Final = "/v1/messages/count_tokens"
#: What is answered with a number of tokens, and the path of the requests whose tokens they are.
COUNTS: Final = {
    COUNT_TOKENS: "/v1/messages",
    "/v1/chat/completions/input_tokens": "/v1/chat/completions",
    "/v1/responses/input_tokens": "/v1/responses",
}


def conversation_of(ask: Ask) -> Conversation:
    """What ``ask`` says, in no API's words.

    Raises:
        BadRequest: its body is wrong, or its path is no API of conversations.
    """
    api = APIS.get(COUNTS.get(ask.path, ask.path))
    if api is None:
        raise BadRequest(
            f"{ask.answered_as} cannot be asked on {ask.path}",
            why="It is served by others, who take conversations only.",
            fix=f"Use one of {', '.join(APIS)}.",
        )
    return api.read(ask.body)


class TranslatedAnswer:
    """The answer to ``ask``, whose ``events`` come in batches. Call ``begin`` before all else.

    ``lost`` names what of the request could not be told the upstream; the answer's head lists it.
    ``release`` lets go of the upstream.
    """

    def __init__(
        self,
        ask: Ask,
        conversation: Conversation,
        events: AsyncIterator[list[Event]],
        release: Callable[[], None],
        lost: Iterable[str] = (),
    ) -> None:
        api = APIS[ask.path]
        self._conversation = conversation
        self._origin = Origin(uuid4().hex, ask.answered_as, int(time.time()))
        self._whole = api.whole
        self._writer = api.stream(self._origin, conversation) if conversation.stream else None
        self._events = events
        self._release: Callable[[], None] | None = release
        self._ready = b""
        self._over = False
        self.status = 200
        kind = b"text/event-stream" if conversation.stream else b"application/json"
        self.headers: Headers = [(b"content-type", kind)]
        if dropped := tuple(dict.fromkeys((*conversation.dropped, *lost))):
            self.headers.append((b"x-llmstack-dropped", _listed(dropped)))
        self.usage: Usage | None = None
        self.problem = ""

    async def begin(self) -> None:
        """Wait for the first thing that the client can see, or for the whole answer.

        Raises:
            BackendFailed: the answer failed before it.
        """
        try:
            await self._begin()
        except BaseException:
            self.close()
            raise

    async def _begin(self) -> None:
        first: list[Event] = []
        writer = self._writer
        async for events in self._events:
            first += events
            self._look(events)
            if writer is not None and any(_is_shown(event) for event in events):
                break
        else:
            self._over = True
        if writer is None or not any(not isinstance(event, Failed | Usage) for event in first):
            for event in first:
                if isinstance(event, Failed):
                    raise failed(event)
        if writer is None:
            self._ready = self._whole(self._origin, self._conversation, first)
            self.headers.append((b"content-length", b"%d" % len(self._ready)))
            return
        self._ready = writer.start() + b"".join(writer.take(event) for event in first)
        if self._over:
            self._ready += writer.end()

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has been read."""
        return self._over and not self._ready

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case ``name``), or None."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """What is due for the client, waiting for something; empty at the end."""
        while not self._ready and not self._over:
            await self._pull()
        data, self._ready = self._ready, b""
        return data

    async def _pull(self) -> None:
        writer = self._writer
        assert writer is not None
        try:
            events = await anext(self._events)
        except StopAsyncIteration:
            self._over = True
            self._ready = writer.end()
            return
        self._look(events)
        self._ready = b"".join(writer.take(event) for event in events)

    def _look(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Usage):
                self.usage = event
            elif isinstance(event, Failed) and not self.problem:
                self.problem = event.message

    def close(self) -> None:
        """Let go of the upstream. May be repeated."""
        release, self._release = self._release, None
        if release:
            release()


def failed(event: Failed) -> BackendFailed:
    """The error for an answer that failed before it began."""
    return BackendFailed(
        event.message,
        status=event.status,
        code=event.code or "bad_gateway",
        retry_after=event.retry_after,
        elsewhere=event.status in ELSEWHERE,
    )


def _is_shown(event: Event) -> bool:
    return not isinstance(event, Usage | Failed)


def _listed(names: tuple[str, ...]) -> bytes:
    """``names`` as a header's value; what clients wrote in them does no harm."""
    text = ", ".join(names)[:500]
    return "".join(char if " " <= char <= "~" else "?" for char in text).encode()
