"""``LlamaSwap`` for asyncio."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from llmstack.client import calls
from llmstack.client.address import read_dsn, read_url
from llmstack.client.api_error import APIError
from llmstack.client.chats import AsyncChat
from llmstack.client.images import AsyncImages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    from llmstack.client.calls import Call, ListedModel

T = TypeVar("T")


class AsyncLlamaSwap:
    """``LlamaSwap`` for asyncio: the same methods, awaited.

    Bound a call by ``asyncio.timeout`` or by cancelling its task: the request ends at the server
    too. ``timeout`` is seconds without a byte from the server.
    """

    def __init__(
        self,
        base_url: str = "",
        token: str | None = None,
        *,
        http_client: DefaultAsyncHttpxClient | None = None,
    ) -> None:
        self._address = read_url(base_url, token)
        self._given = http_client

    @classmethod
    def from_dsn(cls, dsn: str, *, http_client: DefaultAsyncHttpxClient | None = None) -> Self:
        """The server of ``llama-swap://token@host:port[/path]``, by http; the token is optional."""
        address = read_dsn(dsn)
        return cls(address.root, address.token, http_client=http_client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address.root!r})"

    @cached_property
    def openai(self) -> AsyncOpenAI:
        """The openai SDK, set up for this server: streams, tools, images, everything it can do.

        It raises its own errors; ``APIError.of(error.response)`` reads one as ours.
        """
        self._address.check()
        from llmstack.client.sdk import new_async_openai

        return new_async_openai(self._address, self._http)

    def chat(self, model: str = "auto") -> AsyncChat:
        """Chat with one model."""
        return AsyncChat(self.openai, model)

    @property
    def images(self) -> AsyncImages:
        """Images from text."""
        return AsyncImages(self._send)

    async def list_models(self, *, timeout: float | None = None) -> list[ListedModel]:
        """The names that can be asked for."""
        return await self._send(calls.list_models(), timeout)

    async def running(self, *, timeout: float | None = None) -> Any:
        """The loaded models: the decoded JSON of ``/running`` as it is, whose shape may change."""
        return await self._send(calls.running(), timeout)

    async def load(self, model: str, *, timeout: float | None = None) -> None:
        """Load a model and wait until it is ready."""
        await self._send(calls.load(model), timeout)

    async def unload(self, model: str | None = None, *, timeout: float | None = None) -> None:
        """Unload a model, or all of them, once their running answers have ended."""
        await self._send(calls.unload(model), timeout)

    async def route(
        self,
        asked: str | Sequence[Mapping[str, Any]],
        *,
        timeout: float | None = None,
        **body: Any,
    ) -> dict[str, Any]:
        """Which model ``auto`` would choose for a text or for messages, and why.

        ``body`` is more of the request, such as ``tools``. Only a gateway knows.
        """
        return await self._send(calls.route(asked, body), timeout)

    async def close(self) -> None:
        """Close the connections, but not those of an ``http_client`` that was given."""
        if self._given is None and "_http" in self.__dict__:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @cached_property
    def _http(self) -> DefaultAsyncHttpxClient:
        if self._given is not None:
            return self._given
        from llmstack.client.sdk import new_async_http

        return new_async_http()

    async def _send(self, call: Call[T], timeout: float | None) -> T:
        self._address.check()
        answer = await self._http.request(
            call.method,
            self._address.root + call.path,
            json=call.body,
            headers=self._address.headers,
            timeout=timeout,
            follow_redirects=False,
        )
        if not answer.is_success:
            raise APIError.of(answer)
        return call.read(answer.content)
