"""The sets of a matrix, parsed, checked and linked to one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmstack.config.problems import Problem, nearest
from llmstack.residency import expression as syntax
from llmstack.residency.combinations import Family, either, single, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llmstack.config.swap import Matrix, MatrixSet
    from llmstack.residency.expression import Expression

#: Sets that refer to sets, and their parentheses, may nest this deep in all.
MAX_DEPTH = 100


class LinkedSet(NamedTuple):
    """A set whose names are models' bits and whose references are filled in."""

    name: str
    family: Family


class LinkedMatrix(NamedTuple):
    """All sets in the order that decides among equals, and the bit of every model in them.

    A set comes after the sets it refers to, otherwise the order is that of the file.
    """

    sets: tuple[LinkedSet, ...]
    bits: Mapping[str, int]
    problems: tuple[Problem, ...]


def link(matrix: Matrix, models: Mapping[str, object], source: str) -> LinkedMatrix:
    """Parse and link the sets of ``matrix``. Never raises; the sets at fault are left out."""
    linker = _Linker(matrix, models, source)
    linker.parse()
    for name in linker.ordered():
        linker.link(name)
    return LinkedMatrix(tuple(linker.linked), linker.bits, tuple(linker.problems))


class _Linker:
    def __init__(self, matrix: Matrix, models: Mapping[str, object], source: str) -> None:
        self._vars = matrix.vars
        self._models = models
        self._source = source
        self._sets = {entry.name: entry for entry in matrix.sets}
        self._expressions: dict[str, Expression] = {}
        self._families: dict[str, Family] = {}
        self.bits: dict[str, int] = {}
        self.linked: list[LinkedSet] = []
        self.problems: list[Problem] = []

    def parse(self) -> None:
        """Parse every set and check its names, so that all mistakes are found at once."""
        for entry in self._sets.values():
            try:
                expression = syntax.parse(entry.expression)
            except syntax.ExpressionError as error:
                fix = "Join model names with & (together) and | (either)."
                self._problem(entry, f'set "{entry.name}": {error}.', fix)
                continue
            if self._check_names(entry, expression):
                self._expressions[entry.name] = expression

    def _check_names(self, entry: MatrixSet, expression: Expression) -> bool:
        sound = True
        for leaf in dict.fromkeys(syntax.walk(expression)):
            if isinstance(leaf, syntax.Reference):
                if leaf.name not in self._sets:
                    message = f'set "{entry.name}" references undefined set "{leaf.name}".'
                    self._problem(entry, message, nearest(leaf.name, self._sets))
                    sound = False
            elif leaf.name not in self._vars and leaf.name not in self._models:
                message = f'set "{entry.name}": unknown var or model "{leaf.name}".'
                known = [*self._vars, *self._models]
                fix = nearest(leaf.name, known) or f"Declare {leaf.name} under vars."
                self._problem(entry, message, fix)
                sound = False
        return sound

    def ordered(self) -> list[str]:
        """The sets, each after those it refers to; a circle is a problem."""
        order: dict[str, None] = {}
        for name in self._expressions:
            path = [name] if name not in order else []
            pending = [self._references(name)]
            while path:
                following = next(pending[-1], None)
                if following is None:
                    order[path.pop()] = None
                    pending.pop()
                elif following in path:
                    circle = [*path[path.index(following) :], following]
                    message = f'circular reference detected involving set "{following}": '
                    message += f"{' -> '.join(circle)}."
                    self._problem(self._sets[following], message, "Remove one of the references.")
                elif following not in order:
                    path.append(following)
                    pending.append(self._references(following))
        return list(order)

    def _references(self, name: str) -> Iterator[str]:
        expression = self._expressions.get(name)
        leaves = [] if expression is None else syntax.walk(expression)
        return iter([leaf.name for leaf in leaves if isinstance(leaf, syntax.Reference)])

    def link(self, name: str) -> None:
        """Link one set. What it refers to has been linked, unless that is at fault itself."""
        expression = self._expressions.get(name)
        family = None if expression is None else self._family(expression)
        if family is None:
            return
        if family.depth > MAX_DEPTH:
            message = f'set "{name}": sets are nested deeper than {MAX_DEPTH}.'
            self._problem(self._sets[name], message, "Write models instead of references.")
            return
        self._families[name] = family
        self.linked.append(LinkedSet(name, family))

    def _family(self, expression: Expression) -> Family | None:
        match expression:
            case syntax.Name(name):
                model = self._vars.get(name, name)
                return single(self.bits.setdefault(model, 1 << len(self.bits)))
            case syntax.Reference(name):
                return self._families.get(name)
            case syntax.Together(parts):
                found = self._all(parts)
                return None if found is None else together(found)
            case syntax.Either(options):
                found = self._all(options)
                return None if found is None else either(found)

    def _all(self, expressions: Iterable[Expression]) -> list[Family] | None:
        families = [self._family(expression) for expression in expressions]
        found = [family for family in families if family is not None]
        return found if len(found) == len(families) else None

    def _problem(self, entry: MatrixSet, message: str, fix: str) -> None:
        self.problems.append(
            Problem(entry.file or self._source, entry.line, f"matrix: {message}", fix)
        )
