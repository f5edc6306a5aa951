"""The commented example configuration: example values, explained from the reader's own tables."""

from __future__ import annotations

from importlib.resources import files
from textwrap import wrap
from typing import TYPE_CHECKING

from llmstack.config.macros import text_of
from llmstack.config.swap_tables import TABLES
from llmstack.config.yaml_source import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.config.swap_keys import SwapKey
    from llmstack.config.yaml_source import Path

_WIDTH = 98
_NOTE = """\
# yaml-language-server: $schema=config-schema.json
# Generated from the code. Do not edit: make docs-write.
#
# A configuration of the engine with every key; all keys but those marked as required are optional.
# The format is llama-swap's, which ignores keys marked with (llmstack).
"""


def example_values() -> tuple[str, ...]:
    """The example's values without comments: the example itself, then its alternatives."""
    text = (files("llmstack.config") / "data" / "swap-example.yaml").read_text(encoding="utf-8")
    return tuple(text.split("---\n"))


def example_text() -> str:
    """The example as it is shipped; what cannot go together with the rest is commented out."""
    main, *others = example_values()
    seen: set[tuple[str, str]] = set()
    blocks = [_NOTE, _annotated(main, seen)]
    for other in others:
        lines = _annotated(other, seen).splitlines()
        blocks.append("\n".join(f"# {line}".rstrip() for line in lines) + "\n")
    old = [
        line
        for name, table in TABLES.items()
        for key in table.values()
        if key.deprecated
        for line in _comment(f"{key.name} ({_place(name)}): {key.meaning}", "")
    ]
    blocks.append("\n".join(["# Understood for old files:", *old]) + "\n")
    return "\n".join(blocks)


def keys_in(text: str) -> Iterator[tuple[int, str, SwapKey]]:
    """Line, table and key of everything in ``text`` that a table knows, in the order of lines."""
    document = read_yaml(text, "example")
    for path, place in document.places.items():
        found = _key_at(path)
        if found is not None and place.line is not None:
            yield place.line, *found


def _key_at(path: Path) -> tuple[str, SwapKey] | None:
    """The table and key that ``path`` ends at; None for a name, an item or a free value."""
    name = "top"
    rest = list(path)
    while rest:
        key = TABLES[name].get(str(rest.pop(0)))
        if key is None:
            return None
        if not rest:
            return name, key
        if key.kind in {"sections", "keys"}:
            rest.pop(0)
        name = key.inner
        if not name:
            return None
    return None


def _annotated(text: str, seen: set[tuple[str, str]]) -> str:
    comments: dict[int, list[str]] = {}
    lines = text.splitlines()
    for number, table, key in keys_in(text):
        if (table, key.name) not in seen:
            seen.add((table, key.name))
            line = lines[number - 1]
            indent = line[: len(line) - len(line.lstrip())]
            comments.setdefault(number, []).extend(_comment(_meaning(key), indent))
    result: list[str] = []
    for number, line in enumerate(lines, 1):
        if number in comments and not line.startswith(" ") and result:
            result.append("")
        result += [*comments.get(number, ()), line]
    return "\n".join(result) + "\n"


def _meaning(key: SwapKey) -> str:
    parts = [key.meaning]
    if key.choices:
        parts.append(f"One of: {', '.join(key.choices)}.")
    if key.required:
        parts.append(f"Required without {key.unless}." if key.unless else "Required.")
    elif key.default not in {None, "", ()}:
        parts.append(f"Default: {shown_default(key)}.")
    if key.addition:
        parts.append("(llmstack)")
    return " ".join(parts)


def shown_default(key: SwapKey) -> str:
    """The default as one writes it."""
    if isinstance(key.default, tuple):
        return f"[{', '.join(key.default)}]"
    return text_of(key.default)


def _comment(text: str, indent: str) -> list[str]:
    width = _WIDTH - len(indent) - 2
    return [f"{indent}# {line}" for line in wrap(text, width, break_on_hyphens=False)]


def _place(table: str) -> str:
    return "top level" if table == "top" else table
