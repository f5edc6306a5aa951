"""Options as Go's ``flag`` package reads them, for drop-ins of Go programs.

``-x v``, ``-x=v``, ``--x v`` and ``--x=v`` mean the same; a boolean takes a value only after ``=``;
the first argument that is no flag, or ``--``, ends the options, and what follows is ignored.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_go(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """The values of the parser's options. Help exits 0; wrong usage exits 2, told on stderr.

    An option of the parser that takes no argument is a boolean.
    """
    actions = {
        spelling.lstrip("-"): action
        for action in parser._actions  # noqa: SLF001  argparse offers no other list of them
        for spelling in action.option_strings
    }
    values = {action.dest: action.default for action in actions.values() if action.dest != "help"}
    rest = iter(arguments)
    for name, value in _flags(rest):
        if not name or name[0] in "-=":
            parser.error(f"bad flag syntax: {value}")
        if name in ("h", "help"):
            parser.print_help()
            parser.exit(0)
        if name not in actions:
            parser.error(f"flag provided but not defined: -{name}")
        action = actions[name]
        if action.nargs == 0:
            if value is not None and value not in _TRUE | _FALSE:
                parser.error(f'invalid boolean value "{value}" for -{name}: parse error')
            values[action.dest] = value is None or value in _TRUE
            continue
        if value is None and (value := next(rest, None)) is None:
            parser.error(f"flag needs an argument: -{name}")
        values[action.dest] = value
    return Namespace(**values)


def _flags(rest: Iterator[str]) -> Iterator[tuple[str, str | None]]:
    """Name and value (None without ``=``) of each flag; for a malformed one, its text as value."""
    for text in rest:
        if len(text) < 2 or text[0] != "-" or text == "--":
            return
        bare = text[2:] if text.startswith("--") else text[1:]
        if not bare or bare[0] in "-=":
            yield "", text
        name, equals, value = bare.partition("=")
        yield name, value if equals else None
