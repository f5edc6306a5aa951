"""How many tokens a prompt has, by the word of who would answer it.

Only model processes that are ready are asked: nothing is loaded for a count, and nothing waited
for but the answer, and that not for long. llama-server counts in the threads that take requests,
so a model that is writing an answer is not held up and does not hold up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.backends.fetch import fetch
from llmstack.backends.protocol import Ask
from llmstack.backends.translated import APIS, COUNTS
from llmstack.dialects.read import dialect_of
from llmstack.dialects.translation.chat_body import write_chat
from llmstack.errors import BackendFailed, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.backends.protocol import Backend, Headers
    from llmstack.config.swap import SwapModel
    from llmstack.dialects.view import Dialect
    from llmstack.http1 import Pool
    from llmstack.server.lives import Lives

#: Seconds for one count, however many questions it takes.
LIMIT: Final = 2.0
#: Seconds for which a hosted model that did not count is not asked to.
SILENT: Final = 300.0
#: Counts that are remembered.
MOST: Final = 1024
#: Bytes of an answer: ``/tokenize`` lists every token.
_LONGEST: Final = 64 * 1024 * 1024

#: Where llama-server counts the requests of each API.
_COUNTERS: Final[dict[Dialect, str]] = {
    "chat": "/v1/chat/completions/input_tokens",
    "responses": "/v1/responses/input_tokens",
    "messages": "/v1/messages/count_tokens",
}
#: The APIs whose requests a kind of backend can count.
_HOSTED: Final[dict[str, tuple[Dialect, ...]]] = {
    "bedrock": ("chat", "messages", "responses"),
    "openai": ("messages",),
}
_TEMPLATE: Final = "/apply-template"
_TOKENIZE: Final = "/tokenize"
#: Statuses of a server that has no such thing.
_ABSENT: Final = (404, 405, 501)
#: What a model process may want to see before it tells.
_CREDENTIALS: Final = (b"authorization", b"x-api-key")


class Counting:
    """Counts, remembers counts, and remembers of each process what it cannot be asked.

    ``limit`` is in seconds.
    """

    def __init__(self, lives: Lives, pool: Pool, *, limit: float = LIMIT) -> None:
        self._lives = lives
        self._pool = pool
        self._limit = limit
        self._absent: dict[str, tuple[int, set[str]]] = {}
        self._silent: dict[str, float] = {}
        self._counted: OrderedDict[tuple[str, int, bytes], int] = OrderedDict()

    async def local(
        self, model: SwapModel, path: str, body: bytes, headers: Headers | None = None
    ) -> int | None:
        """The tokens of the prompt of ``body``, sent to ``path``, for a model that runs here.

        Of ``headers`` the client's credentials are sent along. None if the model is not ready,
        cannot tell, or takes longer than the limit.
        """
        life = self._lives.of(model)
        api = dialect_of(path)
        if life is None or api not in (*_COUNTERS, "completions"):
            return None
        key = (model.id, life, _digest(path, body))
        if (known := self._remembered(key)) is not None:
            return known
        asked = _Asked(self._pool, model, self._limit, self._absent_of(model.id, life), headers)
        try:
            async with asyncio.timeout(self._limit):
                found = await asked.count(api, body)
        except (TimeoutError, RequestError):
            return None
        if found is not None and self._lives.of(model) == life:
            self._remember(key, found)
        return found

    async def hosted(
        self, name: str, kind: str, backend: Backend, model: str, path: str, body: bytes
    ) -> int | None:
        """The same by a backend of ``kind`` that counts for nothing and loads nothing for it.

        That is Bedrock, and who speaks Anthropic's API. A peer or an Ollama might load the model,
        and others have no such thing. ``name`` is the one name of the model, ``model`` what the
        backend calls it.
        """
        api = dialect_of(path)
        if api not in _COUNTERS or api not in _HOSTED.get(kind, ()):
            return None
        key = (name, 0, _digest(path, body))
        if (known := self._remembered(key)) is not None:
            return known
        now = asyncio.get_running_loop().time()
        if now < self._silent.get(name, now):
            return None
        found = None
        with suppress(TimeoutError, RequestError):
            async with asyncio.timeout(self._limit):
                found = await _told_by(backend, _COUNTERS[api], model, body)
        if found is None:
            if len(self._silent) >= MOST:
                self._silent.clear()
            self._silent[name] = now + SILENT
        else:
            self._remember(key, found)
        return found

    def _absent_of(self, model: str, life: int) -> set[str]:
        """What the process of this life was found not to have."""
        known = self._absent.get(model)
        if known is None or known[0] != life:
            known = self._absent[model] = (life, set())
        return known[1]

    def _remembered(self, key: tuple[str, int, bytes]) -> int | None:
        found = self._counted.get(key)
        if found is not None:
            self._counted.move_to_end(key)
        return found

    def _remember(self, key: tuple[str, int, bytes], found: int) -> None:
        self._counted[key] = found
        if len(self._counted) > MOST:
            self._counted.popitem(last=False)


class _Asked:
    """One process, asked for one count."""

    def __init__(
        self,
        pool: Pool,
        model: SwapModel,
        limit: float,
        absent: set[str],
        headers: Iterable[tuple[bytes, bytes]] | None,
    ) -> None:
        self._pool = pool
        self._base = model.proxy.rstrip("/")
        self._limit = limit
        self._absent = absent
        self._headers = [pair for pair in headers or () if pair[0] in _CREDENTIALS]

    async def count(self, api: Dialect, body: bytes) -> int | None:
        if api == "completions":
            return await self._tokenized(_object(body).get("prompt"))
        told = await self._ask(_COUNTERS[api], msgspec.Raw(body))
        if told is not None:
            return _number(told.get("input_tokens"))
        # Before it counted by itself: the template applied, and the tokens of what came out. It
        # takes Chat Completions only, with the tools.
        if api != "chat":
            body = write_chat(APIS[COUNTS[_COUNTERS[api]]].read(body))
        applied = await self._ask(_TEMPLATE, msgspec.Raw(body))
        return None if applied is None else await self._tokenized(applied.get("prompt"))

    async def _tokenized(self, prompt: Any) -> int | None:
        """The tokens of a text, with those that the model wants before every prompt."""
        if not isinstance(prompt, str):
            return None
        # A template's marks are tokens, and stand in the text as words.
        told = await self._ask(
            _TOKENIZE, {"content": prompt, "add_special": True, "parse_special": True}
        )
        tokens = None if told is None else told.get("tokens")
        return len(tokens) if isinstance(tokens, list) else None

    async def _ask(self, path: str, body: object) -> dict[str, Any] | None:
        """The answer; None if there is no such thing at this server."""
        if path in self._absent:
            return None
        try:
            told = await fetch(
                self._pool,
                self._base,
                path,
                self._headers,
                body=body,
                seconds=self._limit,
                most=_LONGEST,
            )
        except BackendFailed as error:
            if error.status in _ABSENT:
                self._absent.add(path)
                return None
            raise
        return told if isinstance(told, dict) else None


async def _told_by(backend: Backend, path: str, model: str, body: bytes) -> int | None:
    answer = await backend.open(Ask("POST", path, path.encode(), [], body, model, model))
    try:
        if answer.status != 200 or answer.header(b"x-llmstack-estimated"):
            return None
        pieces = []
        while piece := await answer.read():
            pieces.append(piece)
        return _number(_object(b"".join(pieces)).get("input_tokens"))
    finally:
        answer.close()


def _object(text: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _digest(path: str, body: bytes) -> bytes:
    return blake2b(body, digest_size=16, key=path.encode()[:64]).digest()
