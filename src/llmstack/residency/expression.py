"""The expressions of ``matrix.sets``: ``a & (b | c) & +other``.

``expr = term { '|' term }``, ``term = factor { '&' factor }``, ``factor = name | '+' set name |
'(' expr ')'``. White space means nothing. Names are letters, digits, ``_``, ``-`` and ``.``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Deeper parentheses than this are refused.
MAX_DEPTH = 50


class ExpressionError(ValueError):
    """The text is not an expression; the message says why and at which character."""


@dataclass(frozen=True, slots=True)
class Name:
    """A var or a model id."""

    name: str


@dataclass(frozen=True, slots=True)
class Reference:
    """``+name``: the combinations of another set."""

    name: str


@dataclass(frozen=True, slots=True)
class Together:
    """``a & b``: one combination of each part, united."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """``a | b``: the combinations of all options, in their order."""

    options: tuple[Expression, ...]


Expression = Name | Reference | Together | Either


def parse(text: str) -> Expression:
    """The expression in ``text``. Raises ExpressionError."""
    parser = _Parser(text)
    if parser.current.kind == "end":
        raise ExpressionError("empty expression")
    expression = parser.either(0)
    if parser.current.kind != "end":
        raise parser.unexpected()
    return expression


def walk(expression: Expression) -> Iterator[Name | Reference]:
    """The names and references of an expression, from left to right."""
    match expression:
        case Name() | Reference():
            yield expression
        case Together(parts) | Either(parts):
            for part in parts:
                yield from walk(part)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def _is_name(character: str) -> bool:
    return character.isalpha() or character.isdecimal() or character in "_-."


def _tokens(text: str) -> Iterator[_Token]:
    """Tokens with their position, counted from 1; the last one has the kind ``end``."""
    position = 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            position += 1
        elif character in "&|()":
            yield _Token(character, character, position + 1)
            position += 1
        elif character == "+" or _is_name(character):
            start = position + (character == "+")
            end = start
            while end < len(text) and _is_name(text[end]):
                end += 1
            if end == start:
                raise ExpressionError(f"expected set name after '+' at position {start + 1}")
            yield _Token("reference" if start > position else "name", text[start:end], position + 1)
            position = end
        else:
            raise ExpressionError(f"unexpected character {character!r} at position {position + 1}")
    yield _Token("end", "", len(text) + 1)


class _Parser:
    """Recursive descent over the tokens; ``current`` is the one not yet consumed."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self.current = next(self._tokens)

    def either(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"parentheses nested deeper than {MAX_DEPTH}")
        options = [self._together(depth)]
        while self._take("|"):
            options.append(self._together(depth))
        return options[0] if len(options) == 1 else Either(tuple(options))

    def unexpected(self) -> ExpressionError:
        if self.current.kind == "end":
            return ExpressionError("unexpected end of the expression")
        token = self.current
        return ExpressionError(f"unexpected token {token.text!r} at position {token.position}")

    def _together(self, depth: int) -> Expression:
        parts = [self._factor(depth)]
        while self._take("&"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else Together(tuple(parts))

    def _factor(self, depth: int) -> Expression:
        token = self.current
        if self._take("name"):
            return Name(token.text)
        if self._take("reference"):
            return Reference(token.text)
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise ExpressionError(
                    f"missing closing parenthesis for the one at position {token.position}"
                )
            return inner
        raise self.unexpected()

    def _take(self, kind: str) -> bool:
        if self.current.kind != kind:
            return False
        if kind != "end":
            self.current = next(self._tokens)
        return True
