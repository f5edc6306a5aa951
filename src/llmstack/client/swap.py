"""A stack, or any llama-swap, as a Python object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from llmstack.client import calls
from llmstack.client.address import read_dsn, read_url
from llmstack.client.api_error import APIError
from llmstack.client.chats import Chat
from llmstack.client.images import Images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai import DefaultHttpxClient, OpenAI

    from llmstack.client.calls import Call, ListedModel

T = TypeVar("T")


class LlamaSwap:
    """A server at ``base_url``, which is asked with ``token`` if there is one.

    Nothing has a time-out: a model that has to be loaded first may take minutes. Bound a call with
    its ``timeout`` (seconds without a byte from the server), or use ``AsyncLlamaSwap`` and bound
    it with a deadline. ``http_client`` is one of the httpx that the openai SDK uses, for
    certificates or a proxy; it stays yours to close.
    Without a URL the object can be made, but not used.

    Every method raises ``APIError`` for an answer that is no success, ``BadAnswer`` for one that
    cannot be read, ``ClientNotConfigured`` without a URL, ``ExtraMissing`` without the openai
    package, and httpx's own errors, as they are, where the server cannot be reached.
    """

    def __init__(
        self,
        base_url: str = "",
        token: str | None = None,
        *,
        http_client: DefaultHttpxClient | None = None,
    ) -> None:
        self._address = read_url(base_url, token)
        self._given = http_client

    @classmethod
    def from_dsn(cls, dsn: str, *, http_client: DefaultHttpxClient | None = None) -> Self:
        """The server of ``llama-swap://token@host:port[/path]``, by http; the token is optional."""
        address = read_dsn(dsn)
        return cls(address.root, address.token, http_client=http_client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address.root!r})"

    @cached_property
    def openai(self) -> OpenAI:
        """The openai SDK, set up for this server: streams, tools, images, everything it can do.

        It raises its own errors; ``APIError.of(error.response)`` reads one as ours.
        """
        self._address.check()
        from llmstack.client.sdk import new_openai

        return new_openai(self._address, self._http)

    def chat(self, model: str = "auto") -> Chat:
        """Chat with one model."""
        return Chat(self.openai, model)

    @property
    def images(self) -> Images:
        """Images from text."""
        return Images(self._send)

    def list_models(self, *, timeout: float | None = None) -> list[ListedModel]:
        """The names that can be asked for."""
        return self._send(calls.list_models(), timeout)

    def running(self, *, timeout: float | None = None) -> Any:
        """The loaded models: the decoded JSON of ``/running`` as it is, whose shape may change."""
        return self._send(calls.running(), timeout)

    def load(self, model: str, *, timeout: float | None = None) -> None:
        """Load a model and wait until it is ready."""
        self._send(calls.load(model), timeout)

    def unload(self, model: str | None = None, *, timeout: float | None = None) -> None:
        """Unload a model, or all of them, once their running answers have ended."""
        self._send(calls.unload(model), timeout)

    def route(
        self,
        asked: str | Sequence[Mapping[str, Any]],
        *,
        timeout: float | None = None,
        **body: Any,
    ) -> dict[str, Any]:
        """Which model ``auto`` would choose for a text or for messages, and why.

        ``body`` is more of the request, such as ``tools``. Only a gateway knows.
        """
        return self._send(calls.route(asked, body), timeout)

    def close(self) -> None:
        """Close the connections, but not those of an ``http_client`` that was given."""
        if self._given is None and "_http" in self.__dict__:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _http(self) -> DefaultHttpxClient:
        if self._given is not None:
            return self._given
        from llmstack.client.sdk import new_http

        return new_http()

    def _send(self, call: Call[T], timeout: float | None) -> T:
        self._address.check()
        answer = self._http.request(
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
