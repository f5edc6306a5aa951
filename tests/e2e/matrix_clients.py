"""The official SDKs with one small vocabulary: ask, listen, leave."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tests.e2e.matrix_wishes import TOOL_NAME, WEATHER, Said, Wish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import anthropic
    import openai

_FUNCTION = {"name": TOOL_NAME, "description": "The weather.", "parameters": WEATHER}


class BrokeOff(Exception):
    """A stream ended with an error event that the SDK hands over instead of raising it."""


class Listener(Protocol):
    """A stream that has begun."""

    headers: Mapping[str, str]

    async def next(self) -> bool:
        """Wait for the next event; False at the end.

        Raises:
            APIError: the SDK's.
            BrokeOff: the answer ended in an error.
        """

    async def said(self) -> Said:
        """The answer, listening to its end."""


class Client(Protocol):
    """One API. ``stopped`` and ``called`` are its words for how an answer ends."""

    api: str
    stopped: str
    called: str

    async def ask(self, model: str, wish: Wish) -> tuple[Mapping[str, str], Said]:
        """A whole answer and its headers."""

    def listen(self, model: str, wish: Wish) -> Any:
        """An asynchronous context manager of a Listener; leaving it hangs up."""


def _url(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


def checked(thing: Any) -> Any:
    """``thing`` again, if it is what its type says: the SDKs do not look when they read it."""
    return type(thing).model_validate(thing.model_dump(mode="json", by_alias=True, warnings=False))


class _Listener:
    """Counts events. Subclasses say what they are made of."""

    def __init__(self, stream: Any, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.pieces = 0
        self._stream = stream
        self._events = aiter(stream)

    async def next(self) -> bool:
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            return False
        self.pieces += self.brings(event)
        return True

    def brings(self, event: Any) -> bool:
        """Whether ``event`` carries something of the answer."""
        raise NotImplementedError

    async def final(self) -> Said:
        """The answer that the SDK has put together."""
        raise NotImplementedError

    async def said(self) -> Said:
        while await self.next():
            pass
        return await self.final()


class Chat:
    """Chat completions."""

    api = "/v1/chat/completions"
    stopped = "stop"
    called = "tool_calls"

    def __init__(self, sdk: openai.AsyncOpenAI) -> None:
        self._sdk = sdk

    async def ask(self, model: str, wish: Wish) -> tuple[Mapping[str, str], Said]:
        raw = await self._sdk.chat.completions.with_raw_response.create(**_chat(model, wish))
        return raw.headers, said_in_chat(checked(raw.parse()))

    @asynccontextmanager
    async def listen(self, model: str, wish: Wish) -> AsyncIterator[Listener]:
        asked = {**_chat(model, wish), "stream_options": {"include_usage": True}}
        async with self._sdk.chat.completions.stream(**asked) as stream:
            yield _ChatListener(stream, stream._response.headers)


class _ChatListener(_Listener):
    def brings(self, event: Any) -> bool:
        if event.type == "chunk":
            checked(event.chunk)
        return event.type in ("content.delta", "tool_calls.function.arguments.delta")

    async def final(self) -> Said:
        return said_in_chat(await self._stream.get_final_completion(), self.pieces)


def _chat(model: str, wish: Wish) -> dict[str, Any]:
    content: Any = wish.text
    if wish.image:
        image = {"type": "image_url", "image_url": {"url": _url(wish.image)}}
        content = [{"type": "text", "text": wish.text}, image]
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": wish.limit,
    }
    if wish.tools:
        asked["tools"] = [{"type": "function", "function": _FUNCTION}]
    return asked


def said_in_chat(answer: Any, pieces: int = 0) -> Said:
    """What a chat completion says."""
    (choice,) = answer.choices
    calls = choice.message.tool_calls or []
    return Said(
        choice.message.content or "",
        tuple((call.function.name, json.loads(call.function.arguments)) for call in calls),
        choice.finish_reason,
        (answer.usage.prompt_tokens, answer.usage.completion_tokens),
        answer.model,
        pieces,
    )


class Completions:
    """Completions: a prompt and what follows, here in the template of the tiny chat model."""

    api = "/v1/completions"
    stopped = "stop"
    called = ""

    def __init__(self, sdk: openai.AsyncOpenAI) -> None:
        self._sdk = sdk

    async def ask(self, model: str, wish: Wish) -> tuple[Mapping[str, str], Said]:
        raw = await self._sdk.completions.with_raw_response.create(**_prompt(model, wish))
        return raw.headers, _completed([checked(raw.parse())], 0)

    @asynccontextmanager
    async def listen(self, model: str, wish: Wish) -> AsyncIterator[Listener]:
        options: Any = {"include_usage": True}
        stream = await self._sdk.completions.create(
            **_prompt(model, wish), stream=True, stream_options=options
        )
        async with stream:
            yield _CompletionsListener(stream, stream.response.headers)


class _CompletionsListener(_Listener):
    def __init__(self, stream: Any, headers: Mapping[str, str]) -> None:
        super().__init__(stream, headers)
        self._seen: list[Any] = []

    def brings(self, event: Any) -> bool:
        self._seen.append(event)
        return any(choice.text for choice in event.choices)

    async def final(self) -> Said:
        return _completed(self._seen, self.pieces)


def _prompt(model: str, wish: Wish) -> dict[str, Any]:
    prompt = f"<|im_start|>user\n{wish.text}<|im_end|>\n<|im_start|>assistant\n"
    return {"model": model, "prompt": prompt, "max_tokens": wish.limit}


def _completed(chunks: list[Any], pieces: int) -> Said:
    choices = [choice for chunk in chunks for choice in chunk.choices]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    (finish,) = [choice.finish_reason for choice in choices if choice.finish_reason]
    return Said(
        "".join(choice.text for choice in choices).strip(),
        (),
        finish,
        (usage.prompt_tokens, usage.completion_tokens),
        chunks[-1].model,
        pieces,
    )


class Responses:
    """OpenAI's responses.

    ``plain`` reads a stream event by event. Otherwise the SDK puts it together, for which events
    must say where they belong; llama-server's do not.
    """

    api = "/v1/responses"
    stopped = "completed"
    called = "completed"

    def __init__(self, sdk: openai.AsyncOpenAI, *, plain: bool = False) -> None:
        self._sdk = sdk
        self._plain = plain

    async def ask(self, model: str, wish: Wish) -> tuple[Mapping[str, str], Said]:
        raw = await self._sdk.responses.with_raw_response.create(**_response(model, wish))
        return raw.headers, _responded(raw.parse())

    @asynccontextmanager
    async def listen(self, model: str, wish: Wish) -> AsyncIterator[Listener]:
        asked = _response(model, wish)
        if self._plain:
            async with await self._sdk.responses.create(**asked, stream=True) as plain:
                yield _PlainListener(plain, plain.response.headers)
            return
        async with self._sdk.responses.stream(**asked) as stream:
            yield _ResponsesListener(stream, stream._response.headers)


class _ResponsesListener(_Listener):
    def brings(self, event: Any) -> bool:
        if event.type == "error":
            raise BrokeOff(event.message)
        if event.type == "response.failed":
            raise BrokeOff(event.response.error.message)
        return event.type.endswith(("output_text.delta", "function_call_arguments.delta"))

    async def final(self) -> Said:
        return _responded(await self._stream.get_final_response(), self.pieces)


class _PlainListener(_ResponsesListener):
    last: Any = None

    def brings(self, event: Any) -> bool:
        self.last = event
        return super().brings(event)

    async def final(self) -> Said:
        assert self.last.type == "response.completed"
        return _responded(self.last.response, self.pieces)


def _response(model: str, wish: Wish) -> dict[str, Any]:
    content: Any = wish.text
    if wish.image:
        image = {"type": "input_image", "image_url": _url(wish.image), "detail": "auto"}
        content = [{"type": "input_text", "text": wish.text}, image]
    asked: dict[str, Any] = {
        "model": model,
        "input": [{"role": "user", "content": content}],
        "max_output_tokens": wish.limit,
        "store": False,
    }
    if wish.tools:
        asked["tools"] = [{"type": "function", "strict": False, **_FUNCTION}]
    return asked


def _responded(answer: Any, pieces: int = 0) -> Said:
    calls = [item for item in answer.output if item.type == "function_call"]
    return Said(
        answer.output_text,
        tuple((call.name, json.loads(call.arguments)) for call in calls),
        answer.status,
        (answer.usage.input_tokens, answer.usage.output_tokens),
        answer.model,
        pieces,
    )


class Messages:
    """Anthropic's messages."""

    api = "/v1/messages"
    stopped = "end_turn"
    called = "tool_use"

    def __init__(self, sdk: anthropic.AsyncAnthropic) -> None:
        self._sdk = sdk

    async def ask(self, model: str, wish: Wish) -> tuple[Mapping[str, str], Said]:
        raw = await self._sdk.messages.with_raw_response.create(**_message(model, wish))
        return raw.headers, _messaged(checked(await raw.parse()))

    @asynccontextmanager
    async def listen(self, model: str, wish: Wish) -> AsyncIterator[Listener]:
        async with self._sdk.messages.stream(**_message(model, wish)) as stream:
            yield _MessagesListener(stream, stream.response.headers)


class _MessagesListener(_Listener):
    def brings(self, event: Any) -> bool:
        return event.type == "content_block_delta"

    async def final(self) -> Said:
        return _messaged(await self._stream.get_final_message(), self.pieces)


def _message(model: str, wish: Wish) -> dict[str, Any]:
    content: Any = wish.text
    if wish.image:
        data = base64.b64encode(wish.image).decode()
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content = [{"type": "text", "text": wish.text}, {"type": "image", "source": source}]
    asked: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": wish.limit,
    }
    if wish.tools:
        asked["tools"] = [{"name": TOOL_NAME, "description": "W.", "input_schema": WEATHER}]
    return asked


def _messaged(answer: Any, pieces: int = 0) -> Said:
    uses = [block for block in answer.content if block.type == "tool_use"]
    texts = [block.text for block in answer.content if block.type == "text"]
    return Said(
        "".join(texts),
        tuple((use.name, use.input) for use in uses),
        answer.stop_reason or "",
        (answer.usage.input_tokens, answer.usage.output_tokens),
        answer.model,
        pieces,
    )
