"""How long models take to load and how fast they read here, learned from what happens."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from llmstack.config.workdir import write_atomically
from llmstack.engine import State

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.activity import ActivityRow
    from llmstack.engine import ModelChanged

log = logging.getLogger(__name__)

VERSION: Final = 1
#: Models that are remembered.
MOST: Final = 200
#: The weight of the newest measurement.
_NEWEST: Final = 0.4
#: Shorter prompts tell more about overhead than about speed.
LONG_ENOUGH: Final = 64


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one model: seconds that a load takes, prompt tokens a second; None for not known.

    ``loads`` counts its loads since the daemon started.
    """

    load_seconds: float | None = None
    prefill: float | None = None
    loads: int = 0


class Speeds:
    """What was measured, by model; kept in ``path`` between runs.

    A file that cannot be read or written costs nothing but what was learned.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Speed] = {}
        self._saved: dict[str, Speed] = {}
        try:
            self._known = _read(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read, so speeds are measured afresh: %s", path, error)
        self._saved = dict(self._known)

    def of(self, model: str) -> Speed:
        """What is known of ``model``."""
        return self._known.get(model) or _UNKNOWN

    def changed(self, event: ModelChanged) -> None:
        """The engine tells of a change."""
        if event.state is State.READY:
            known = self.of(event.model)
            seconds = _mean(known.load_seconds, event.after)
            self._known[event.model] = replace(known, load_seconds=seconds, loads=known.loads + 1)

    def answered(self, row: ActivityRow) -> None:
        """The activity log tells of an answer."""
        usage = row.usage
        if not _positive(usage.prompt_per_second):
            return
        # What was cached took no time: a long prompt of which little was read tells nothing.
        read = usage.charged().input - max(usage.cache_tokens, 0)
        if row.backend not in ("", "local") or read < LONG_ENOUGH:
            return
        known = self.of(row.model)
        speed = _mean(known.prefill, usage.prompt_per_second)
        self._known[row.model] = replace(known, prefill=speed)

    def save(self) -> None:
        """Write what is new to the file; a full disk is a warning."""
        known = dict(self._known)  # the loop goes on learning while a thread writes
        if known == self._saved:
            return
        rows = {
            model: {"load_seconds": speed.load_seconds, "prefill": speed.prefill}
            for model, speed in list(known.items())[-MOST:]
        }
        text = json.dumps({"version": VERSION, "models": rows}, indent=1)
        try:
            write_atomically(self._path, text + "\n")
            self._saved = known
        except OSError as error:
            log.warning("how fast models load and read cannot be kept: %s", error)


_UNKNOWN: Final = Speed()


def _mean(before: float | None, now: float) -> float:
    return now if before is None else before + _NEWEST * (now - before)


def _read(value: Any) -> dict[str, Speed]:
    """The sound entries of the file's value. Raises ValueError if it is another kind of file."""
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise ValueError("not a file of speeds")
    rows = value.get("models")
    if not isinstance(rows, dict):
        raise ValueError("it has no models")  # noqa: TRY004  of the file, not of an argument
    return {
        model: Speed(_positive(row.get("load_seconds")), _positive(row.get("prefill")))
        for model, row in rows.items()
        if isinstance(row, dict)
    }


def _positive(value: Any) -> float | None:
    sound = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6
    return float(value) if sound else None
