"""Whether the matrix lets several models be loaded at once.

Faulty expressions are no obstacle: ``llmstack.residency`` compiles the matrix and reports them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap import Matrix

_TOKEN = re.compile(r"\s*(?:(\+?\s*[\w.-]+)|([&|()]))")
_MAX_DEPTH = 100


class _FaultError(Exception):
    """The expression cannot be read."""


def unite(models: Iterable[str], matrix: Matrix) -> bool:
    """Whether one combination of ``matrix`` holds all of ``models``."""
    bits = {model: 1 << index for index, model in enumerate(models)}
    reader = _Coverage(matrix, bits)
    wanted = (1 << len(bits)) - 1
    try:
        return any(wanted in reader.of_set(entry.name, 0) for entry in matrix.sets)
    except _FaultError:
        return True


class _Coverage:
    """For each expression, which of the wanted models its combinations hold, as bit masks."""

    def __init__(self, matrix: Matrix, bits: dict[str, int]) -> None:
        self._vars = matrix.vars
        self._sets = {entry.name: entry.expression for entry in matrix.sets}
        self._bits = bits
        self._known: dict[str, frozenset[int]] = {}
        self._tokens: list[str] = []

    def of_set(self, name: str, depth: int) -> frozenset[int]:
        if name in self._known:
            return self._known[name]
        if name not in self._sets or depth > _MAX_DEPTH:
            raise _FaultError
        outer, self._tokens = self._tokens, _tokens(self._sets[name])
        masks = self._either(depth)
        if self._tokens:
            raise _FaultError
        self._tokens = outer
        self._known[name] = masks
        return masks

    def _either(self, depth: int) -> frozenset[int]:
        masks = self._together(depth)
        while self._tokens and self._tokens[-1] == "|":
            self._tokens.pop()
            masks = _largest(masks | self._together(depth))
        return masks

    def _together(self, depth: int) -> frozenset[int]:
        masks = self._factor(depth)
        while self._tokens and self._tokens[-1] == "&":
            self._tokens.pop()
            right = self._factor(depth)
            masks = _largest(frozenset(a | b for a in masks for b in right))
        return masks

    def _factor(self, depth: int) -> frozenset[int]:
        if depth > _MAX_DEPTH or not self._tokens:
            raise _FaultError
        part = self._tokens.pop()
        if part == "(":
            masks = self._either(depth + 1)
            if not self._tokens or self._tokens.pop() != ")":
                raise _FaultError
            return masks
        if part in "&|)":
            raise _FaultError
        if part.startswith("+"):
            return self.of_set(part[1:].strip(), depth + 1)
        return frozenset({self._bits.get(self._vars.get(part, part), 0)})


def _tokens(expression: str) -> list[str]:
    """The tokens, the first one last."""
    found = []
    at = 0
    expression = expression.rstrip()
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise _FaultError
        found.append(match[1] or match[2])
        at = match.end()
    return found[::-1]


def _largest(masks: frozenset[int]) -> frozenset[int]:
    """The masks that are in no other."""
    return frozenset(a for a in masks if not any(a != b and a | b == b for b in masks))
