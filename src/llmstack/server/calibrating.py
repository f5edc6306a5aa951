"""Learns what models' tokenizers make of text, and keeps it in a file between runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from llmstack.activity.tally import Usage
from llmstack.config.workdir import write_atomically
from llmstack.context.calibrations import Calibrations
from llmstack.context.estimate import estimate, history_sizes

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.context.calibration import Calibration
    from llmstack.context.estimate import Counts
    from llmstack.context.history import History
    from llmstack.dialects.translation.reply import Usage as Charged

log = logging.getLogger(__name__)

#: Seconds for which news gather before they are written.
DELAY: Final = 30.0
#: Bytes of a file that is believed to be ours.
_LARGEST: Final = 4 * 1024 * 1024


class Calibrating:
    """The calibrations of a daemon, in ``path``; None keeps them in memory. For one event loop.

    A file that cannot be used is a warning and counts as empty; the next write replaces it.
    """

    def __init__(self, path: Path | None, *, delay: float = DELAY) -> None:
        self._path = path
        self._delay = delay
        self._known = self._read()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def of(self, model: str) -> Calibration:
        """What is known of ``model``, by its one name."""
        return self._known.of(model)

    def estimate(self, model: str, history: History) -> Counts:
        """The tokens of ``history`` for ``model``."""
        return estimate(history, self._known.of(model))

    def learn(self, model: str, history: History, usage: Usage | Charged) -> bool:
        """Take note of what an answer of ``model`` to ``history`` says; whether that is news.

        ``history`` must be of the body that was sent upstream. ``usage`` is what was read out of
        the answer or what its backend knows; tokens that came out of a cache count. Takes some
        tens of microseconds.
        """
        charged = usage.charged() if isinstance(usage, Usage) else usage
        return self.learn_exactly(model, history, charged.input)

    def learn_exactly(self, model: str, history: History, tokens: int) -> bool:
        """The same with the tokens of the whole prompt, as a model server counted them."""
        news = self._known.learn(model, history_sizes(history), tokens)
        if news and self._path and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._write_soon)
        return news

    async def close(self) -> None:
        """Write what has not been written."""
        news, self._timer = self._timer, None
        if news:
            news.cancel()
        if self._writing:
            await self._writing
        if news:
            await self._write()

    def _write_soon(self) -> None:
        self._timer = None
        self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        assert self._path is not None
        try:
            await asyncio.to_thread(write_atomically, self._path, self._known.dumps())
        except OSError as error:
            log.warning("what was learned of tokenizers cannot be kept: %s", error)

    def _read(self) -> Calibrations:
        if self._path is None:
            return Calibrations()
        try:
            with self._path.open("rb") as stream:
                data = stream.read(_LARGEST + 1)
            return Calibrations.loads(data)
        except FileNotFoundError:
            return Calibrations()
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used, so tokens are learned afresh: %s", self._path, error)
            return Calibrations()
