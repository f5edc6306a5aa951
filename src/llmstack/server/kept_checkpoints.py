"""Checkpoints of compacted conversations, kept over restarts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from llmstack.config.plain_file import LARGEST, read_plain
from llmstack.config.workdir import write_atomically
from llmstack.context.checkpoints import Checkpoints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmstack.context.checkpoint import Checkpoint

log = logging.getLogger(__name__)

#: Seconds for which news gather before they are written.
DELAY = 30.0


class KeptCheckpoints:
    """The checkpoints of a daemon, in ``path``; None keeps them in memory. For one event loop.

    Notes and summaries repeat the user's words, so only the user can read the file. One that cannot
    be used counts as empty: each conversation is compacted once more.
    """

    def __init__(self, path: Path | None, *, delay: float = DELAY) -> None:
        self._path = path
        self._delay = delay
        self._known = self._read()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def find(self, model: str, chain: Sequence[str]) -> Checkpoint | None:
        """The checkpoint of ``model`` that covers most of a conversation with these digests."""
        return self._known.find(model, chain)

    def add(self, model: str, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint``."""
        self._known.add(model, checkpoint)
        if self._path and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._write_soon)

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
        content = self._known.dumps(LARGEST)
        try:
            await asyncio.to_thread(write_atomically, self._path, content, mode=0o600)
        except OSError as error:
            log.warning("checkpoints of conversations cannot be kept: %s", error)

    def _read(self) -> Checkpoints:
        if self._path is None:
            return Checkpoints()
        try:
            return Checkpoints.loads(read_plain(self._path))
        except FileNotFoundError:
            return Checkpoints()
        except OSError as error:
            log.warning("%s cannot be used: %s", self._path, error)
            return Checkpoints()
