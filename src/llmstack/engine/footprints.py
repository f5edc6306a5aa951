"""How much memory each model of a configuration takes: declared, measured, estimated, unknown.

``docs/decisions/0006-measured-memory-beats-estimates.md`` says why in this order.
"""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.config.command import split_command
from llmstack.engine.learned import Learned, LearnedFile
from llmstack.engine.load_key import load_key
from llmstack.engine.memory import on_gpus, resident
from llmstack.errors import LlmstackError
from llmstack.hub.capacity import detect_capacity
from llmstack.hub.data_dir import data_dir
from llmstack.hub.gguf import Gguf, read_gguf
from llmstack.hub.gpu_processes import gpu_memory
from llmstack.residency.footprint import Footprint, Known, Source, estimate
from llmstack.residency.memory import MemoryFacts, budget_of, shown
from llmstack.residency.sizing import Sizing, read_sizing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmstack.config.swap import SwapConfig, SwapModel
    from llmstack.hub.capacity import Capacity

log = logging.getLogger(__name__)

#: Parts of a split model that are looked for, and headers that are remembered.
MOST_PARTS = 1000
#: A new measurement within this share of the known one changes nothing.
_NOISE = 0.02

_SPLIT = re.compile(r"-00001-of-(\d{5})\.gguf$")


class Footprints:
    """Finds footprints out and learns them. Used by one engine, also from its threads.

    Nothing is detected or read before a configuration with ``use: memory`` comes.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        file: LearnedFile | None = None,
        capacity: Callable[[], Capacity] = detect_capacity,
        measure: Callable[[Iterable[int]], dict[int, int]] | None = None,
        gpu_memory: Callable[[], dict[int, int]] = gpu_memory,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._file = file or LearnedFile(data_dir(self._environ) / "footprints.json")
        self._detect = capacity
        self._measure = measure
        self._gpu_memory = gpu_memory
        self._tool_sees_us = False
        self._capacity: Capacity | None = None
        self._learned: dict[str, Learned] | None = None
        self._headers: dict[tuple[str, int, int], Gguf] = {}

    def facts(self, config: SwapConfig) -> MemoryFacts | None:
        """What is known for the rule by memory; None if the configuration has another one.

        Reads the headers of model files that are new to it.
        """
        if config.memory is None:
            return None
        capacity = self._capacity = self._capacity or self._detect()
        if self._learned is None:
            self._learned = self._file.read()
        learned = self._learned
        known = {
            model.id: self._known(model, capacity, learned) for model in config.models.values()
        }
        return MemoryFacts(capacity.size, capacity.kind, capacity.what, MappingProxyType(known))

    def measured(self, pids: Iterable[int]) -> dict[int, int]:
        """Bytes that the process group of each of ``pids`` takes of the kind that is scarce."""
        if self._measure:
            return self._measure(pids)
        if not self._capacity or self._capacity.kind == "machine":
            return resident(pids)
        leaders = list(pids)
        taken = on_gpus(leaders, self._gpu_memory())
        self._tool_sees_us |= bool(taken)
        # Once it has told of one of ours, silence about another one means nothing is there.
        return dict.fromkeys(leaders, 0) | taken if self._tool_sees_us else taken

    def learn(
        self, model: str, known: Known, size: int, load_seconds: float, *, used: bool
    ) -> bool:
        """Take note that a load of ``model`` takes ``size`` bytes; whether that is news.

        ``known`` is what was known when it was started, ``size`` the most that was seen since.
        Before its first answer (not ``used``) much may not have been touched yet; then a size
        counts only if it is more than was expected.
        """
        if not known.key or self._learned is None:
            return False
        before = self._learned.get(known.key)
        guess = known.size if known.source == "estimated" else None
        expected = before.size if before else guess
        if not used and expected is not None and size <= expected:
            return False
        if before and abs(size - before.size) <= _NOISE * before.size:
            return False
        self._learned[known.key] = Learned(model, size, load_seconds, time.time())
        return True

    def keep(self, keys: Iterable[str]) -> None:
        """Write what was learned of these loads to the file; a full disk is a warning."""
        learned = self._learned or {}
        try:
            self._file.add({key: learned[key] for key in keys if key in learned})
        except OSError as error:
            log.warning("what models take in memory cannot be kept: %s", error)

    def _known(self, model: SwapModel, capacity: Capacity, learned: Mapping[str, Learned]) -> Known:
        try:
            argv = split_command(model.cmd)
        except ValueError as error:
            source: Source = "unknown" if model.memory is None else "declared"
            return Known(model.memory, source, why=str(error))
        parts, why, files = self._estimate(model, argv, capacity)
        key = load_key(model, argv, self._environ, kind=capacity.kind, parts=files)
        past = learned.get(key)
        seconds = past.load_seconds or None if past else None
        if model.memory is not None:
            return Known(model.memory, "declared", seconds, parts, key=key)
        if past:
            return Known(past.size, "measured", seconds, parts, key=key)
        if parts:
            return Known(parts.total(capacity.kind), "estimated", None, parts, key=key)
        return Known(None, "unknown", why=why, key=key)

    def _estimate(
        self, model: SwapModel, argv: tuple[str, ...], capacity: Capacity
    ) -> tuple[Footprint | None, str, list[Path]]:
        """The estimate or why there is none, and the files that it is made from."""
        own = (entry.partition("=") for entry in model.env)
        environ = {**self._environ, **{name: value for name, _, value in own}}
        files: list[Path] = []
        try:
            sizing = read_sizing(argv, environ)
            if sizing is None:
                return None, "its command is not a llama-server with a model file", files
            headers = self._read(sizing, files)
            return estimate(sizing, headers, capacity.kind), "", files
        except LlmstackError as error:
            return None, f"{error.what}: {error.why}" if error.why else error.what, files

    def _read(self, sizing: Sizing, files: list[Path]) -> dict[str, tuple[Gguf, ...]]:
        headers = {}
        for name in sizing.files():
            paths = _parts(Path(name).expanduser())
            files += paths
            headers[name] = tuple(self._header(path) for path in paths)
        return headers

    def _header(self, path: Path) -> Gguf:
        try:
            stat = path.stat()
        except OSError:
            return read_gguf(path)  # which tells what is wrong
        key = (str(path), stat.st_size, stat.st_mtime_ns)
        header = self._headers.get(key)
        if header is None:
            if len(self._headers) >= MOST_PARTS:  # of files that changed again and again
                self._headers.clear()
            header = self._headers[key] = read_gguf(path)
        return header


def _parts(path: Path) -> list[Path]:
    """All files of a split model whose first one is named."""
    match = _SPLIT.search(path.name)
    if match is None:
        return [path]
    stem, count = path.name[: match.start()], min(int(match[1]), MOST_PARTS)
    return [path.with_name(f"{stem}-{n:05}-of-{match[1]}.gguf") for n in range(1, count + 1)]


def told(config: SwapConfig, facts: MemoryFacts) -> list[str]:
    """The budget and every model's memory, a line each, for the log."""
    assert config.memory is not None
    budget = budget_of(config.memory, facts)
    lines = [f"memory: {shown(budget)} for all models, of {shown(facts.capacity)} {facts.what}"]
    for model, known in facts.known.items():
        if known.size is None:
            lines.append(f"memory: {model} runs alone until it was measured: {known.why}")
        else:
            pinned = ", pinned" if model in config.memory.pinned else ""
            lines.append(f"memory: {model} takes {shown(known.size)} ({known.source}{pinned})")
    return lines
