"""The logs of all models, and the one that has what any of them prints."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from llmstack.engine.logs import Log, LogFile, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class ModelLogs:
    """One log per model, with a file in ``directory`` if any. ``everything`` has it all."""

    def __init__(self, directory: Path | None) -> None:
        self.everything = Log()
        self._directory = directory
        self._logs: dict[str, Log] = {}

    def __contains__(self, model: object) -> bool:
        return model in self._logs

    def __getitem__(self, model: str) -> Log:
        return self._logs[model]

    def models(self) -> set[str]:
        """Whose logs there are."""
        return set(self._logs)

    def open(self, models: Iterable[str]) -> list[str]:
        """Begin a log for those of ``models`` that have none; which those are."""
        new = [model for model in models if model not in self._logs]
        for model in new:
            file = None
            if self._directory:
                with suppress(OSError):
                    file = LogFile(self._directory / file_name(model))
            self._logs[model] = Log(file, also=self.everything)
        return new

    def forget(self, model: str) -> None:
        """End the log of ``model`` and those who read it."""
        self._logs.pop(model).close()

    def end_readers(self) -> None:
        """End every reader of any log."""
        for log in (*self._logs.values(), self.everything):
            log.end_readers()

    def close(self) -> None:
        """End every log."""
        for log in (*self._logs.values(), self.everything):
            log.close()
