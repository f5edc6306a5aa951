"""Chat with one model through the openai SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
    from openai.types.chat import ChatCompletion, ChatCompletionChunk


@dataclass(frozen=True, slots=True)
class Chat:
    """``openai.chat.completions`` with the model filled in.

    ``asked`` is a user's text or a list of messages; ``parameters`` are those of the SDK's
    ``create``, ``timeout`` among them. Errors are the SDK's.
    """

    openai: OpenAI
    model: str

    def create(self, asked: str | Sequence[Any], **parameters: Any) -> ChatCompletion:
        """The whole answer."""
        made = self.openai.chat.completions.create(
            model=self.model, messages=_messages(asked), **parameters, stream=False
        )
        return cast("ChatCompletion", made)

    def stream(self, asked: str | Sequence[Any], **parameters: Any) -> Stream[ChatCompletionChunk]:
        """The answer in pieces; closing it ends the request."""
        made = self.openai.chat.completions.create(
            model=self.model, messages=_messages(asked), **parameters, stream=True
        )
        return cast("Stream[ChatCompletionChunk]", made)


@dataclass(frozen=True, slots=True)
class AsyncChat:
    """As ``Chat``."""

    openai: AsyncOpenAI
    model: str

    async def create(self, asked: str | Sequence[Any], **parameters: Any) -> ChatCompletion:
        """The whole answer."""
        made = await self.openai.chat.completions.create(
            model=self.model, messages=_messages(asked), **parameters, stream=False
        )
        return cast("ChatCompletion", made)

    async def stream(
        self, asked: str | Sequence[Any], **parameters: Any
    ) -> AsyncStream[ChatCompletionChunk]:
        """The answer in pieces; closing it ends the request."""
        made = await self.openai.chat.completions.create(
            model=self.model, messages=_messages(asked), **parameters, stream=True
        )
        return cast("AsyncStream[ChatCompletionChunk]", made)


def _messages(asked: str | Sequence[Any]) -> Any:
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
