"""The windows that models really serve, from whoever knows best."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from llmstack.backends.fetch import fetch
from llmstack.config.command import split_command
from llmstack.context.settings import Window
from llmstack.errors import RequestError
from llmstack.residency.window import asked_window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.http1 import Pool
    from llmstack.server.lives import Lives

#: Seconds that a request waits for a process to tell its window.
LIMIT: Final = 1.0
#: Seconds after which a process that did not tell is asked again.
AGAIN: Final = 30.0
#: Learned windows that are remembered.
MOST: Final = 1024
_LONGEST: Final = 4 * 1024 * 1024

UNKNOWN: Final = Window(0)


class Windows:
    """Knows the window of every model; asks a process once in its life. For one event loop.

    ``environ`` is the environment of the processes that the engine starts. ``override`` tells the
    window that a model was given at run time, None or 0 for none.
    """

    def __init__(
        self,
        lives: Lives,
        pool: Pool,
        environ: Mapping[str, str],
        *,
        override: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._lives = lives
        self._pool = pool
        self._environ = environ
        self._override = override
        self._served: dict[str, tuple[int, Window]] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._silent: dict[tuple[str, int], float] = {}
        self._learned: dict[str, tuple[int | None, int]] = {}
        self._asked: dict[str, tuple[SwapModel, int]] = {}

    async def local(self, model: SwapModel) -> Window:
        """The window of a model that runs here: of one slot, for one prompt and its answer.

        A process that is ready is asked, at most for ``LIMIT`` seconds; nothing is loaded.
        """
        life = self._lives.of(model)
        if life is None:
            return self._without(model.id, life, self._configured(model))
        served = self._served.get(model.id)
        if served is not None and served[0] == life:
            return served[1]
        await self._wait(model, life)
        return self.known(model)

    def known(self, model: SwapModel) -> Window:
        """The same by what is known already."""
        life = self._lives.of(model)
        served = self._served.get(model.id)
        if life is not None and served is not None and served[0] == life:
            return served[1]
        return self._without(model.id, life, self._configured(model))

    def hosted(self, name: str, *, configured: int = 0, offered: int = 0) -> Window:
        """The window of a model that others host, by its one name.

        ``configured`` is the tier's ``ctx_size``, ``offered`` what its upstream lists
        (``Offered.context``); 0 where nobody says.
        """
        return self._without(name, None, configured or offered)

    def learn(self, name: str, tokens: int, model: SwapModel | None = None) -> None:
        """Take note of the window that an overflow named; ``model`` is it if it runs here."""
        if tokens <= 0:
            return
        self._learned.pop(name, None)
        self._learned[name] = (self._lives.of(model) if model else None, tokens)
        if len(self._learned) > MOST:
            del self._learned[next(iter(self._learned))]

    async def close(self) -> None:
        """End the questions that are under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _without(self, name: str, life: int | None, configured: int) -> Window:
        """The window by everybody but the process."""
        override = self._override(name) or 0
        said = override or configured
        of, learned = self._learned.get(name, (None, 0))
        # What another life of the process said may have been of another configuration.
        if learned and of == life and not 0 < said < learned:
            return Window(learned, "learned")
        if override:
            return Window(override, "override")
        return Window(configured, "configured") if configured else UNKNOWN

    def _configured(self, model: SwapModel) -> int:
        known = self._asked.get(model.id)
        if known is None or known[0] is not model:
            known = self._asked[model.id] = (model, self._read(model))
        return known[1]

    def _read(self, model: SwapModel) -> int:
        own = (entry.partition("=") for entry in model.env)
        environ = {**self._environ, **{name: value for name, _, value in own}}
        with suppress(ValueError):
            if tokens := asked_window(split_command(model.cmd), environ):
                return tokens
        return model.capabilities.context if model.capabilities else 0

    async def _wait(self, model: SwapModel, life: int) -> None:
        key = (model.id, life)
        now = asyncio.get_running_loop().time()
        if now < self._silent.get(key, now):
            return
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(self._ask(model, life))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        # One question for all who want to know; one that leaves does not end it.
        await asyncio.wait((task,), timeout=LIMIT)

    async def _ask(self, model: SwapModel, life: int) -> None:
        tokens = 0
        with suppress(RequestError):
            base = model.proxy.rstrip("/")
            told = await fetch(self._pool, base, "/props", [], seconds=LIMIT, most=_LONGEST)
            tokens = _window(told)
        if self._lives.of(model) != life:
            return
        if tokens:
            self._served[model.id] = (life, Window(tokens, "served"))
        else:
            self._silent = {key: until for key, until in self._silent.items() if key[0] != model.id}
            self._silent[model.id, life] = asyncio.get_running_loop().time() + AGAIN


def _window(told: Any) -> int:
    """``default_generation_settings.n_ctx`` of llama-server's ``/props``: that of one slot."""
    settings = told.get("default_generation_settings") if isinstance(told, dict) else None
    tokens = settings.get("n_ctx") if isinstance(settings, dict) else None
    usable = isinstance(tokens, int) and not isinstance(tokens, bool) and 0 < tokens < 1 << 40
    return tokens if usable and isinstance(tokens, int) else 0
