"""An Ollama, found or named: its models with the windows that they really have.

Requests go to its OpenAI-compatible API, or Anthropic's where it has it, through ``HttpBackend``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from llmstack.backends.address import address_of
from llmstack.backends.fetch import fetch
from llmstack.backends.http_backend import HttpBackend
from llmstack.backends.ollama_address import candidates
from llmstack.backends.ollama_finder import Finder
from llmstack.backends.ollama_models import (
    default_window,
    offered,
    read_ps,
    read_show,
    read_tags,
)
from llmstack.backends.outgoing import Credentials, outgoing_headers
from llmstack.backends.protocol import Health
from llmstack.errors import BackendFailed, Forbidden

if TYPE_CHECKING:
    from llmstack.backends.ollama_models import Listed, Shown
    from llmstack.backends.protocol import (
        Answer,
        Ask,
        Backend,
        Headers,
        House,
        Offered,
        Upstream,
    )

#: Questions about single models that are out at once, and seconds that each may take.
AT_ONCE: Final = 8
PATIENCE: Final = 5.0

#: Ollama's own paths that only use its models; all others may change them.
_USES: Final = frozenset(
    {
        b"/",
        b"/api/chat",
        b"/api/embed",
        b"/api/embeddings",
        b"/api/generate",
        b"/api/ps",
        b"/api/show",
        b"/api/tags",
        b"/api/version",
    }
)


class OllamaBackend:
    """One Ollama. It may come, go and move between the places where it is looked for."""

    def __init__(self, upstream: Upstream, house: House) -> None:
        hosted = upstream.hosted
        self._upstream = upstream
        self._house = house
        self._credentials = Credentials(upstream.name, hosted, house.environ)
        places = candidates(hosted.base_url, house.environ)
        self._finder = Finder(house.pool, places, self._headers, house.now, house.ours)
        self._shown: dict[str, Shown] = {}
        self._http: HttpBackend | None = None

    async def open(self, ask: Ask) -> Answer:
        """Send a request to where it is; see ``Backend``.

        Raises:
            Forbidden: it would change which models Ollama has, which is not done from here.
        """
        if not only_uses(ask.target):
            raise Forbidden(
                f"{ask.answered_as} can be used here, not changed",
                fix="Ask Ollama itself to pull, create, copy or delete models.",
            )
        found = await self._finder.find()
        try:
            return await self._at(found.base).open(ask)
        except BackendFailed as error:
            if error.status >= 502:
                self._finder.forget(found.base)
            raise

    async def models(self) -> tuple[Offered, ...]:
        """Its models. One about which it says nothing in time is listed with what is known.

        Raises:
            BackendFailed: no Ollama is found, or it tells no models.
        """
        found = await self._finder.find()
        try:
            return await self._models(found.base)
        except BackendFailed:
            self._finder.forget(found.base)
            moved = await self._finder.find()
            if moved.base == found.base:
                raise
            return await self._models(moved.base)

    async def _models(self, base: str) -> tuple[Offered, ...]:
        found = await self._finder.check(base)
        listed = read_tags(await self._ask(base, "/api/tags"))
        loaded = await self._loaded(base)
        door = asyncio.Semaphore(AT_ONCE)
        shown = await asyncio.gather(*(self._show(base, one, door) for one in listed))
        kept = {one.digest for one in listed}
        self._shown = {key: about for key, about in self._shown.items() if key in kept}
        default = default_window(found.version, self._house.environ)
        pairs = zip(listed, shown, strict=True)
        return tuple(offered(one, about, loaded, default) for one, about in pairs)

    def health(self) -> Health:
        """How it is, without asking it."""
        if trouble := self._credentials.trouble():
            return Health("unusable", trouble)
        if failure := self._finder.failure:
            return Health("down", f"{failure.what}: {failure.why}")
        health = self._http.health() if self._http else Health()
        if health.state == "unknown" and self._finder.found:
            return Health("ok")
        return health

    async def close(self) -> None:
        """Nothing of its own is held: the house closes its connections."""

    def _at(self, base: str) -> HttpBackend:
        """The way to where it is now. What it speaks is found out: that grows with releases."""
        if self._http is None or self._http.address.base != address_of(base).base:
            self._http = HttpBackend(self._upstream, self._house, base_url=base)
        return self._http

    def _headers(self) -> Headers:
        return outgoing_headers([], self._credentials, messages=False, bearer=True)

    async def _ask(self, base: str, path: str, body: object = None) -> Any:
        headers = self._headers()
        return await fetch(self._house.pool, base, path, headers, body=body, seconds=PATIENCE)

    async def _loaded(self, base: str) -> dict[str, int] | None:
        try:
            return read_ps(await self._ask(base, "/api/ps"))
        except BackendFailed:  # older than 0.1.33, or busy
            return None

    async def _show(self, base: str, listed: Listed, door: asyncio.Semaphore) -> Shown | None:
        """What is known of a model. It is asked once for each digest: that names all of it."""
        if known := self._shown.get(listed.digest):
            return known
        async with door:
            try:
                told = await self._ask(base, "/api/show", {"model": listed.name})
            except BackendFailed:
                return None
        shown = read_show(told)
        if listed.digest:
            self._shown[listed.digest] = shown
        return shown


def only_uses(target: bytes) -> bool:
    """Whether a request for ``target``, a raw path with its query, leaves Ollama's models alone.

    A page that somebody looks at could otherwise delete them, through a door of ours to which no
    key is needed.
    """
    path = unquote_to_bytes(target.partition(b"?")[0])
    return path in _USES or (path.startswith(b"/v1/") and b".." not in path.split(b"/"))


def ollama(upstream: Upstream, house: House) -> Backend:
    """The backend of an Ollama: at ``base_url``, else where Ollamas usually are.

    Without a ``model`` it is one that was found, and then no first byte is waited for in seconds:
    nobody has set a limit, a cold model loads for as long as it takes, and an answer that is not
    streamed begins with its end.
    """
    hosted = upstream.hosted
    if not hosted.model:
        upstream = replace(upstream, hosted=replace(hosted, first_byte_timeout=0))
    return OllamaBackend(upstream, house)
