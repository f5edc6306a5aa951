"""What was set at run time, over what the configuration says. Survives restarts."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.config.context_override import ContextOverride
from llmstack.config.context_settings import read_policy, read_truncation
from llmstack.config.workdir import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from llmstack.config.context_settings import Policy, Truncation

log = logging.getLogger(__name__)

#: Tokens that an override may ask for; llama-server counts in 32 bits.
MOST: Final = 2**31 - 1
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Override:
    """What was set for one model; what is None was not."""

    process: ContextOverride = field(default_factory=ContextOverride)
    policy: Policy | None = None
    truncation: Truncation | None = None
    pinned: bool | None = None


NOTHING: Final = Override()


class Overrides:
    """The overrides by a model's one name, kept in the file ``path``; None keeps them in memory.

    Those of models that are not configured any more stay: they may come back. A file that cannot
    be read is put aside before it is written again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._broken = False
        self._models, self._settings = self._read()
        self._writing = asyncio.Lock()

    def of(self, model: str) -> Override:
        """What was set for ``model``."""
        return self._models.get(model, NOTHING)

    def all(self) -> Mapping[str, Override]:
        """Everything that was set."""
        return self._models

    def told(self) -> dict[str, dict[str, Any]]:
        """Everything that was set as the file has it, by model."""
        return {name: _told(one) for name, one in self._models.items()}

    @property
    def settings(self) -> Mapping[str, bool | int | float]:
        """What was set beside models, by key; also keys that nobody here knows."""
        return self._settings

    async def put_setting(self, key: str, value: bool | float | None) -> None:
        """Set ``value`` for ``key``, None for nothing, as ``put`` does."""
        async with self._writing:
            settings = {name: one for name, one in self._settings.items() if name != key}
            if value is not None:
                settings[key] = value
            if self.path is not None:
                await asyncio.to_thread(self._write, self.path, self._models, settings)
            self._settings = settings

    async def put(self, model: str, override: Override) -> None:
        """Set ``override`` for ``model``, at once and then in the file.

        Raises:
            OSError: the file cannot be written; nothing has changed.
        """
        async with self._writing:
            models = {name: one for name, one in self._models.items() if name != model}
            if override != NOTHING:
                models[model] = override
            if self.path is not None:
                await asyncio.to_thread(self._write, self.path, models, self._settings)
            self._models = models

    def _write(
        self,
        path: Path,
        models: Mapping[str, Override],
        settings: Mapping[str, bool | int | float],
    ) -> None:
        if self._broken and path.exists():
            path.replace(path.with_name(f"{path.name}.unreadable"))
            self._broken = False
        told: dict[str, Any] = {
            "version": 1,
            "models": {name: _told(one) for name, one in models.items()},
        }
        if settings:
            told["settings"] = settings
        text = msgspec.json.format(msgspec.json.encode(told), indent=2)
        write_atomically(path, text + b"\n", mode=0o600)

    def _read(self) -> tuple[dict[str, Override], dict[str, bool | int | float]]:
        if self.path is None:
            return {}, {}
        try:
            with self.path.open("rb") as stream:
                told = msgspec.json.decode(stream.read(_LARGEST))
            models, settings = told["models"].items(), told.get("settings", {}).items()
        except FileNotFoundError:
            return {}, {}
        except (OSError, msgspec.DecodeError, RecursionError, AttributeError, KeyError, TypeError):
            self._broken = True
            log.warning("%s cannot be read, so nothing that it sets holds", self.path)
            return {}, {}
        return dict(self._models_in(models)), {
            key: value for key, value in settings if isinstance(value, (bool, int, float))
        }

    def _models_in(self, models: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Override]]:
        for name, one in models:
            override = _understood(one)
            if override is None:
                log.warning("%s: what it sets for %r is not understood", self.path, name[:200])
            elif override != NOTHING:
                yield name, override


def _told(override: Override) -> dict[str, Any]:
    process = override.process
    told = {
        "ctx_size": process.ctx_size,
        "fit": process.fit,
        "fit_mode": process.mode if process.fit else None,
        "policy": override.policy,
        "truncation": override.truncation,
        "pinned": override.pinned,
    }
    return {name: value for name, value in told.items() if value is not None}


def _understood(told: Any) -> Override | None:
    if not isinstance(told, dict):
        return None
    size, fit = told.get("ctx_size"), told.get("fit")
    if size is not None and not is_size(size):
        return None
    pinned = told.get("pinned")
    if not all(isinstance(flag, (bool, NoneType)) for flag in (fit, pinned)):
        return None
    process = ContextOverride(size, fit, "min" if told.get("fit_mode") == "min" else "max")
    return Override(
        process,
        read_policy(str(told.get("policy", ""))),
        read_truncation(str(told.get("truncation", ""))),
        pinned,
    )


def is_size(value: Any) -> bool:
    """Whether ``value`` is a context in tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST


def without(override: Override, what: str) -> Override:
    """``override`` without its ``ctxsize``, ``fit``, ``pin`` or ``prompt-optimization``."""
    process = override.process
    match what:
        case "ctxsize":
            return replace(override, process=replace(process, ctx_size=None))
        case "fit":
            return replace(override, process=replace(process, fit=None, mode="max"))
        case "pin":
            return replace(override, pinned=None)
        case _:
            return replace(override, policy=None, truncation=None)
