"""Configurations that a soak switches between: twelve models, by groups and by a matrix."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.soak.quick_model import command

if TYPE_CHECKING:
    from random import Random

MODELS = tuple(f"m{number:02}" for number in range(12))

#: Those that behave badly, and how.
FLAGS = {"m03": ("stubborn",), "m06": ("forks",), "m08": ("talks",), "m10": ("fails",)}

#: One that admits few requests at once.
NARROW, NARROW_LIMIT = "m09", 2

#: The models that a configuration may change or leave out.
CHANGING, VANISHING = "m07", "m02"

_GROUPS = """\
groups:
  swapping: {members: [m00, m01, m02, m03], exclusive: false}
  together: {members: [m04, m05, m06], swap: false, exclusive: false}
  fixed: {members: [m08], persistent: true, exclusive: false}
"""

_MATRIX = """\
matrix:
  vars: {talker: m08}
  evict_costs: {talker: 5}
  sets:
    pairs: (m00 | m01 | m02 | m03) & (m04 | m05 | m06) & talker
    loose: +pairs | (m07 & m09 & m10)
"""

_QUEUE = """\
routing:
  scheduler:
    settings:
      fifo: {priority: {m04: 2}, minResidency: %d, maxWait: 3}
"""


def free_row(rng: Random) -> int:
    """The first of as many free ports as there are models.

    They are below those that the system gives to outgoing connections: such a one, of the test
    itself, would take a model's port.
    """
    while True:
        first = rng.randrange(15_000, 32_000)
        with ExitStack() as held, suppress(OSError):
            for port in range(first, first + len(MODELS)):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reload may change."""

    matrix: bool = False
    changed: bool = False
    vanished: bool = False
    stays: int = 0

    @classmethod
    def random(cls, rng: Random) -> Settings:
        """Any of them."""
        return cls(
            matrix=rng.random() < 0.5,
            changed=rng.random() < 0.3,
            vanished=rng.random() < 0.5,
            stays=rng.choice([0, 0, 1]),
        )

    def _rules(self) -> str:
        text = _MATRIX if self.matrix else _GROUPS
        if self.vanished:
            text = text.replace(f" | {VANISHING}", "").replace(f", {VANISHING}", "")
        return text

    def text(self, port: int) -> str:
        """The ``config.yaml``; the models' ports are counted from ``port``."""
        lines = [
            f"startPort: {port}",
            "unloadTimeout: 1",
            "captureBuffer: 1",
            _QUEUE % self.stays,
            self._rules(),
            "models:",
        ]
        for model in MODELS:
            if model == VANISHING and self.vanished:
                continue
            flags = [*FLAGS.get(model, ())]
            if model == CHANGING and self.changed:
                flags.append("other")
            limit = NARROW_LIMIT if model == NARROW else 500
            lines += [
                f"  {model}:",
                f"    cmd: {json.dumps(command(model, *flags))}",
                f"    concurrencyLimit: {limit}",
                "    proxy: http://127.0.0.1:${PORT}",
            ]
            if model in ("m01", "m05"):
                lines.append("    ttl: 1")
        return "\n".join(lines) + "\n"
