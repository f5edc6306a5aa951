"""``LlamaSwap`` and ``AsyncLlamaSwap`` behind one way of calling them, for one suite."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Self

from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

from llmstack.client import AsyncLlamaSwap, LlamaSwap

if TYPE_CHECKING:
    from types import TracebackType


class Driver:
    """Makes clients of one of the two classes, runs their calls, closes them at the end."""

    def __init__(self, kind: str) -> None:
        self.is_async = kind == "async"
        self.type: Any = AsyncLlamaSwap if self.is_async else LlamaSwap
        self.http_type: Any = DefaultAsyncHttpxClient if self.is_async else DefaultHttpxClient
        self._runner = asyncio.Runner()
        self._made: list[Any] = []

    def new(self, *arguments: Any, **named: Any) -> Any:
        """A client."""
        return self.kept(self.type(*arguments, **named))

    def dsn(self, dsn: str) -> Any:
        """A client from a DSN."""
        return self.kept(self.type.from_dsn(dsn))

    def kept(self, client: Any) -> Any:
        """A client to close at the end."""
        self._made.append(client)
        return client

    def do(self, value: Any) -> Any:
        """What a call gave, awaited where that is needed."""
        if not inspect.isawaitable(value):
            return value

        async def awaited() -> Any:
            return await value

        return self._runner.run(awaited())

    def pieces(self, stream: Any) -> list[Any]:
        """All of a stream."""
        if not self.is_async:
            return list(stream)

        async def read() -> list[Any]:
            return [piece async for piece in stream]

        return self._runner.run(read())

    def first(self, stream: Any) -> Any:
        """The first piece of a stream."""
        return self.do(anext(stream)) if self.is_async else next(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._made:
            self.do(client.close())
        self._runner.close()
