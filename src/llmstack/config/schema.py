"""The JSON Schema of a llama-swap configuration, from the tables that the reader uses.

It knows keys, types, ranges and choices. It does not know which names must exist, conditions over
several keys, and other spellings that the reader takes (``WARN`` for ``warn``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmstack.config.swap_fields import TEMPLATE
from llmstack.config.swap_tables import TABLES
from llmstack.config.swap_units import DURATION_PATTERN, SIZE_PATTERN

if TYPE_CHECKING:
    from llmstack.config.swap_keys import SwapKey, Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: A whole value may be a macro whatever its type is.
_MACRO = r"\$\{[A-Za-z0-9_.-]+\}"
_BOOLEAN = rf"^(y|Y|yes|on|n|N|no|off|{_MACRO})$"
_TEXT = ["string", "number", "boolean"]


def json_schema() -> dict[str, Any]:
    """The schema, with one definition per kind of section."""
    definitions = {name: _section(table) for name, table in TABLES.items() if name != "top"}
    return {
        "$schema": DIALECT,
        "title": "llama-swap configuration, as llmstack reads it",
        **_section(TABLES["top"]),
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _section(table: Table) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {key.name: _property(key) for key in table.values()},
        "patternProperties": {f"^{TEMPLATE}": {}},
    }
    if required := [key.name for key in table.values() if key.required and not key.unless]:
        schema["required"] = required
    for key in table.values():
        if key.unless:  # one such key is all that a table has
            schema["anyOf"] = [{"required": [name]} for name in (key.name, key.unless)]
    return schema


def _property(key: SwapKey) -> dict[str, Any]:
    schema = {"description": key.meaning, **_value(key)}
    if key.default not in {None, ""}:
        schema["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    if key.deprecated:
        schema["deprecated"] = True
    return schema


def _value(key: SwapKey) -> dict[str, Any]:
    match key.kind:
        case "text":
            if not key.choices:
                return {"type": [*_TEXT, "null"]}
            return {"anyOf": [{"enum": [*key.choices, None]}, _pattern(f"^{_MACRO}$")]}
        case "integer":
            return _integer(key)
        case "share":
            return _share()
        case "boolean":
            return {"type": ["boolean", "string", "null"], "pattern": _BOOLEAN}
        case "duration":
            return {"type": ["string", "null"], "pattern": _or_macro(DURATION_PATTERN)}
        case "size":
            fixed = "^auto$|" if key.default == "auto" else ""
            pattern = fixed + _or_macro(SIZE_PATTERN)
            return {"type": ["integer", "string", "null"], "pattern": pattern, "minimum": 0}
        case "texts":
            return {"type": ["array", "null"], "items": {"type": [*_TEXT, "null"]}}
        case "section":
            return {"$ref": _reference(key.inner)}
        case "sections":
            return _map({"$ref": _reference(key.inner)})
        case "keys":
            entry = {"anyOf": [{"type": _TEXT}, {"$ref": _reference(key.inner)}]}
            return {"type": ["array", "null"], "items": entry}
        case _:
            return _map_of(key)


def _map_of(key: SwapKey) -> dict[str, Any]:
    match key.kind:
        case "text map":
            return _map({"type": [*_TEXT, "null"]})
        case "integer map":
            return _map({"type": ["integer", "string", "null"], "pattern": f"^{_MACRO}$"})
        case "macros":
            names = {"pattern": "^[A-Za-z0-9_-]+$", "maxLength": 63}
            return {**_map({"type": _TEXT}), "propertyNames": names}
        case "free map":
            return _map({"type": ["object", "null"]})
        case _:
            return {"type": ["object", "null"]}


def _integer(key: SwapKey) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["integer", "string", "null"], "pattern": f"^{_MACRO}$"}
    if key.minimum is not None:
        schema["minimum"] = key.minimum
    return schema


def _share() -> dict[str, Any]:
    kinds = ["number", "string", "null"]
    return {"type": kinds, "pattern": f"^{_MACRO}$", "exclusiveMinimum": 0, "maximum": 1}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "additionalProperties": values}


def _pattern(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


def _or_macro(pattern: str) -> str:
    return f"{pattern}|^{_MACRO}$"


def _reference(name: str) -> str:
    return f"#/$defs/{name.replace(' ', '%20')}"
