"""A server that speaks OpenAI's API, or parts of it, over HTTP.

What it speaks passes as it comes. ``/v1/messages`` and ``/v1/responses`` are tried as they are, and
translated to chat completions where the upstream does not know them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from llmstack.backends.address import address_of
from llmstack.backends.caller import Caller, Request
from llmstack.backends.chat_source import ChatSource
from llmstack.backends.chat_words import CHAT, ChatWords
from llmstack.backends.estimated import estimated
from llmstack.backends.offered import offered
from llmstack.backends.outgoing import Credentials, outgoing_body, outgoing_headers
from llmstack.backends.protocol import Health
from llmstack.backends.raw_answer import RawAnswer, passing_headers
from llmstack.backends.refusal import NO_PATH, denies_path, error_body, may_deny, refusal
from llmstack.backends.standing import standing_of
from llmstack.backends.translated import APIS, COUNT_TOKENS, TranslatedAnswer, conversation_of
from llmstack.backends.whole_answer import WholeAnswer
from llmstack.dialects.defaults import ask_usage, wants_usage, without_usage
from llmstack.dialects.usage_filter import UsageFilter
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmstack.backends.protocol import Answer, Ask, House, Offered, Upstream
    from llmstack.http1 import Response

#: The name of each path's API in ``apis``.
API_OF: Final = {
    CHAT: "chat",
    "/v1/completions": "completions",
    "/v1/messages": "messages",
    COUNT_TOKENS: "messages",
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
}
#: What not every server speaks, so that it is found out.
_TRIED = frozenset({"/v1/messages", COUNT_TOKENS, "/v1/responses"})
#: Whose answers tell tokens in the words of chat completions.
_COUNTED = frozenset({CHAT, "/v1/completions", "/v1/embeddings"})
#: Whose streams tell them when asked to.
_ASKED = frozenset({CHAT, "/v1/completions"})
#: What is known of an upstream that refuses the wish for usage.
_USAGE = "stream_options"
#: Bytes and seconds that a list of models may take.
LIST_LIMIT, LIST_PATIENCE = 16 * 1024 * 1024, 20.0


class HttpBackend:
    """One upstream. ``base_url`` wins over the section's, for backends that find theirs."""

    def __init__(self, upstream: Upstream, house: House, *, base_url: str = "") -> None:
        hosted = upstream.hosted
        self.upstream = upstream
        self.house = house
        self.address = address_of(base_url or hosted.base_url)
        self.credentials = Credentials(upstream.name, hosted, house.environ)
        self.standing = standing_of(house, self.address.url, hosted.api_key_env)
        self.caller = Caller(upstream, house, self.standing, self.credentials)
        self._apis = hosted.apis
        self._only_messages = bool(hosted.apis) and "chat" not in hosted.apis
        self._chat = ChatWords(self.address.base)

    async def open(self, ask: Ask) -> Answer:
        """Send a request and wait for the beginning of its answer.

        Raises:
            RequestError: nothing of an answer has come.
        """
        api = API_OF.get(ask.path)
        if api is None or ask.method != "POST":
            return await self._raw(ask)
        speaks = self._speaks(ask.path, api)
        if speaks:
            return await self._raw(ask)
        if speaks is None:
            return await self._tried(ask)
        return await self._otherwise(ask)

    async def models(self) -> tuple[Offered, ...]:
        """The models that it lists.

        Raises:
            BackendFailed: it cannot be asked, or does not list any.
        """
        target = b"/models?limit=1000" if self._only_messages else b"/models"
        body = await self.fetch(self.address.url, target)
        try:
            return offered(body)
        except ValueError as error:
            raise BackendFailed(
                f"{self.upstream.name} does not list its models: {error}", elsewhere=True
            ) from None

    async def fetch(self, base: str, target: bytes) -> bytes:
        """The body of a GET, such as a list of models; bounded in bytes and time.

        Raises:
            BackendFailed: it does not succeed.
        """
        name = self.upstream.name
        headers = outgoing_headers(
            [(b"accept", b"application/json")],
            self.credentials,
            messages=self._only_messages,
            bearer=not self._only_messages,
        )
        try:
            async with asyncio.timeout(LIST_PATIENCE):
                response = await self.caller.send(Request("GET", base, target, headers))
                try:
                    if response.status >= 400:
                        raise self._refusal(response, await self._said(response))
                    body = await error_body(response, LIST_LIMIT + 1, None)
                    if not response.exhausted:
                        raise BackendFailed(f"{name} told too much, or broke off", elsewhere=True)
                    return body
                finally:
                    response.close()
        except TimeoutError:
            raise BackendFailed(
                f"{name} did not answer within {LIST_PATIENCE:g} s",
                status=504,
                code="timeout",
                elsewhere=True,
            ) from None

    def health(self) -> Health:
        """How it is, as far as its last answers tell."""
        if trouble := self.credentials.trouble():
            return Health("unusable", trouble)
        standing, breaker = self.standing, self.standing.breaker
        problem = standing.problem_of(self.upstream.name)
        if standing.barred > self.house.now():
            return Health("unusable", problem)
        if not breaker.admits:
            return Health("down", problem, breaker.wait)
        if held := breaker.held(self.upstream.hosted.model):
            return Health("down", problem, held)
        if standing.answered and breaker.state == "closed":
            return Health("ok", problem)
        return Health("unknown", problem)

    async def close(self) -> None:
        """Nothing of its own is held: the house closes its connections."""

    def _speaks(self, path: str, api: str) -> bool | None:
        """Whether the upstream speaks the API; None to find out."""
        if self._apis and (path != COUNT_TOKENS or api not in self._apis):
            return api in self._apis
        if path not in _TRIED:
            return True
        now = self.house.now()
        # Who has no messages counts no tokens of them; who has some need not count.
        lacks = not self.standing.knows(path, now)
        if path == COUNT_TOKENS:
            lacks = lacks or not self.standing.knows("/v1/messages", now)
        return False if lacks else None

    async def _tried(self, ask: Ask) -> Answer:
        """The answer in the client's API if the upstream has that, else otherwise."""
        response = await self._native(ask, outgoing_body(ask, self.upstream.sampler))
        if response.status not in NO_PATH and not may_deny(response):
            return await self._passed(ask, response)
        said = await self._said(response)
        if not denies_path(response.status, said, ask.model):
            return self._told(response, said)
        answer = await self._otherwise(ask)
        self.standing.learn(ask.path, self.house.now())
        return answer

    async def _otherwise(self, ask: Ask) -> Answer:
        """The answer of an upstream that does not speak the client's API."""
        if ask.path == COUNT_TOKENS:
            return estimated(ask)
        if ask.path in APIS and ask.path != CHAT and (not self._apis or "chat" in self._apis):
            return await self._translated(ask)
        raise BackendFailed(
            f"{ask.answered_as} cannot be asked on {ask.path}",
            status=400,
            code="unsupported_api",
            why=f"Its upstream speaks {', '.join(self._apis)}.",
        )

    async def _raw(self, ask: Ask) -> Answer:
        """The answer as it comes."""
        body = outgoing_body(ask, self.upstream.sampler)
        asked = ask.method == "POST" and ask.path in _ASKED
        silent = asked and wants_usage(body) is False

        def send(body: bytes) -> Awaitable[Response]:
            return self._native(ask, body, passing=frozenset())

        response, said = await self._counting(send, ask_usage(body) if silent else body, body)
        if said is not None:
            return self._told(response, said)
        return await self._passed(ask, response, added=silent and self._counts())

    async def _counting(
        self, send: Callable[[bytes], Awaitable[Response]], body: bytes, bare: bytes
    ) -> tuple[Response, bytes | None]:
        """The answer to ``body``, and what it says if that had to be read.

        Upstreams that refuse to count tokens get the ``bare`` body.
        """
        if body == bare or not self._counts():
            return await send(bare), None
        response = await send(body)
        if response.status not in {400, 422}:
            return response, None
        said = await self._said(response)
        if _USAGE.encode() not in said and b"include_usage" not in said:
            return response, said
        self.standing.learn(_USAGE, self.house.now())
        return await send(bare), None

    def _counts(self) -> bool:
        return self.standing.knows(_USAGE, self.house.now())

    async def _native(self, ask: Ask, body: bytes, passing: frozenset[int] = NO_PATH) -> Response:
        base, target = self.address.target(ask)
        headers = outgoing_headers(
            ask.headers,
            self.credentials,
            messages=ask.path.startswith("/v1/messages"),
            bearer=not self._only_messages,
        )
        request = Request(ask.method, base, target, headers, body, ask.model)
        return await self.caller.send(request, passing=passing)

    async def _passed(self, ask: Ask, response: Response, *, added: bool = False) -> Answer:
        if response.status >= 400:
            return self._told(response, await self._said(response))
        counted = ask.path in _COUNTED
        return RawAnswer(
            response,
            ask.path,
            idle=self.upstream.hosted.idle_timeout,
            events=UsageFilter(keep=not added) if counted else None,
            counted=counted,
            hidden=self.credentials.hidden_bytes,
        )

    def _told(self, response: Response, said: bytes) -> WholeAnswer:
        """The answer that says ``said``, but for secrets of ours: errors tend to repeat keys."""
        hidden = self.credentials.hidden_bytes
        return WholeAnswer(response.status, passing_headers(response, hidden), hidden(said))

    async def _translated(self, ask: Ask) -> Answer:
        """The answer of a chat completion, in the client's API."""
        conversation = conversation_of(ask)
        body = self._chat.body(conversation, ask.model, self.upstream.sampler)
        headers = outgoing_headers(
            ask.headers, self.credentials, messages=False, bearer=True, translated=True
        )

        def send(body: bytes) -> Awaitable[Response]:
            base, target = self.address.url, b"/chat/completions"
            return self.caller.send(Request("POST", base, target, headers, body, ask.model))

        bare = without_usage(body) if conversation.stream else body
        response, said = await self._counting(send, body, bare)
        if response.status >= 400:
            raise self._refusal(response, await self._said(response) if said is None else said)
        answer = TranslatedAnswer(
            ask,
            conversation,
            ChatSource(
                response,
                uuid4().hex,
                idle=self.upstream.hosted.idle_timeout,
                hidden=self.credentials.hidden_bytes,
                held=not conversation.stream,
            ),
            response.close,
            self._chat.lost(conversation),
        )
        await answer.begin()
        return answer

    def _refusal(self, response: Response, said: bytes) -> BackendFailed:
        key = self.upstream.hosted.api_key_env
        name, hidden = self.upstream.name, self.credentials.hidden
        return refusal(response, said, name=name, key=key, hidden=hidden)

    @staticmethod
    async def _said(response: Response) -> bytes:
        try:
            return await error_body(response, 1024 * 1024)
        finally:
            response.close()
