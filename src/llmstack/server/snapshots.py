"""The latest word on how each model's requests were fitted, for ``.../prompt-optimization/latest``.

Numbers are kept always, bodies only when asked: they are prompts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Bytes that are kept of a body, models that are remembered, and bodies of all models together.
LONGEST: Final = 2 * 1024 * 1024
MODELS: Final = 256
BODIES: Final = 16


@dataclass(slots=True, eq=False)
class Snapshot:
    """One request of ``model``: the report, and the bodies if they are kept."""

    model: str
    report: Mapping[str, Any]
    at: datetime
    original: str = ""
    sent: str = ""

    def told(self) -> dict[str, Any]:
        """The members of the answer; times in UTC."""
        report = dict(self.report)
        return {
            "model": self.model,
            "policy": report.get("policy", ""),
            "applied": bool(report.get("applied", False)),
            "updatedAt": _utc(self.at),
            "note": report.get("note", ""),
            "originalBody": self.original,
            "optimizedBody": self.sent,
            "report": report,
        }


@dataclass(slots=True)
class Snapshots:
    """The latest report of each model by its one name; the last writer wins.

    ``bodies`` says whether bodies are kept of every request; the newest ``BODIES`` of them stay.
    """

    bodies: Callable[[], bool] = bool
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _kept: dict[str, Snapshot] = field(default_factory=dict)
    _ring: deque[Snapshot] = field(default_factory=deque)

    def keep(
        self,
        model: str,
        report: Mapping[str, Any],
        original: bytes | None = None,
        sent: bytes | None = None,
        *,
        asked: bool = False,
    ) -> None:
        """Remember how a request of ``model`` was fitted.

        ``report`` is JSON: ``policy``, ``applied``, ``note``, numbers and what was done per rung.
        The bodies are kept where all are, or where the client ``asked`` for it.
        """
        snapshot = Snapshot(model, dict(report), self.now())
        if asked or self.bodies():
            snapshot.original, snapshot.sent = _shortened(original), _shortened(sent)
        self._forget(model)
        self._kept[model] = snapshot
        if len(self._kept) > MODELS:
            self._forget(next(iter(self._kept)))
        if snapshot.original or snapshot.sent:
            self._ring.append(snapshot)
            if len(self._ring) > BODIES:
                oldest = self._ring.popleft()
                oldest.original = oldest.sent = ""

    def latest(self, model: str) -> Snapshot | None:
        """The latest of ``model``, None where there is none."""
        return self._kept.get(model)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._ring.clear()

    def _forget(self, model: str) -> None:
        gone = self._kept.pop(model, None)
        if gone is not None:
            self._ring = deque(one for one in self._ring if one is not gone)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _shortened(body: bytes | None) -> str:
    if not body:
        return ""
    text = body[:LONGEST].decode("utf-8", "replace")
    cut = len(body) - LONGEST
    return text if cut <= 0 else f"{text}\n[{cut} more bytes]"
