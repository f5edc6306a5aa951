"""Prometheus' text format, version 0.0.4 (pure).

Written here rather than taken from ``prometheus_client``: what is shown is read out of values that
live elsewhere (the latest host sample, counters that the request path bumps), so that only the
text is left to make. The client library's registry would hold it all a second time, adds
``_created`` series beside the names that llama-swap's dashboards know, answers in a later version
of the format than llama-swap does, and costs a lock for every observation.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from math import inf, isnan
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line; ``suffix`` is appended to the family's name."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(slots=True)
class Family:
    """One metric with all its label values. A family without samples is left out."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: list[Sample] = field(default_factory=list)

    def add(self, value: float | None, labels: Labels = ()) -> None:
        """Add a line unless the value is unknown."""
        if value is not None:
            self.samples.append(Sample(value, labels))


class Histogram:
    """Counts values into buckets with the upper bounds ``bounds`` (ascending)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count ``value``."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, labels: Labels) -> Iterator[Sample]:
        """The lines: cumulative buckets, sum and count; none when nothing was counted."""
        if not any(self.counts):
            return
        below = 0
        for bound, count in zip((*self.bounds, inf), self.counts, strict=True):
            below += count
            yield Sample(below, (*labels, ("le", number(bound))), "_bucket")
        yield Sample(self.total, labels, "_sum")
        yield Sample(below, labels, "_count")


def render(families: Iterable[Family]) -> bytes:
    """The whole text."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines.append(f"# HELP {family.name} {_escaped(family.help, quotes=False)}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines.extend(
                f"{family.name}{sample.suffix}{_labels(sample.labels)} {number(sample.value)}"
                for sample in family.samples
            )
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def number(value: float) -> str:
    """A value as the format writes it; whole numbers without a fraction."""
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
