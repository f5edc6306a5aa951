"""The schema and the example are made from the reader's tables and agree with the reader."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmstack.config.example import example_text, example_values, keys_in, shown_default
from llmstack.config.schema import json_schema, schema_text
from llmstack.config.swap_fields import Section
from llmstack.config.swap_loader import build_swap, parse_swap
from llmstack.config.swap_source import Source
from llmstack.config.swap_tables import TABLES
from llmstack.config.yaml_source import Document, read_yaml
from llmstack.errors import ConfigError
from tests.config.swap_file import messages

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
EXAMPLES = Path(__file__).parent / "examples"
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def is_of(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """What the schema says against ``value``: the few words of JSON Schema that ours uses."""
    known = {"$ref", "type", "enum", "anyOf", "pattern", "minimum", "maxLength", "properties"}
    known |= {"additionalProperties", "propertyNames", "items", "required", "description"}
    known |= {"default", "deprecated", "$schema", "title", "$defs", "patternProperties"}
    known |= {"exclusiveMinimum", "maximum"}
    assert schema.keys() <= known
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/").replace("%20", " ")
        return faults(value, root["$defs"][name], root, at)
    options = schema.get("anyOf", [])
    if options and all(faults(value, option, root, at) for option in options):
        return [f"{at}: none of {len(options)}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: not one of {schema['enum']}"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_of(value, kind) for kind in kinds):
        return [f"{at}: not {kinds}"]
    found = []
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{at}: not like {schema['pattern']}")
    if is_of(value, "number"):
        found += out_of_range(value, schema, at)
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += faults(item, schema.get("items", {}), root, f"{at}[{index}]")
    if isinstance(value, dict):
        found += [f"{at}: no {name}" for name in schema.get("required", []) if name not in value]
        for key, item in value.items():
            if any(re.search(pattern, key) for pattern in schema.get("patternProperties", {})):
                continue
            found += faults(key, schema.get("propertyNames", {}), root, f"{at} key")
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            found += (
                [f"{at}.{key}: unknown"]
                if inner is False
                else faults(item, inner, root, f"{at}.{key}")
            )
    return found


def out_of_range(value: float, schema: dict[str, Any], at: str) -> list[str]:
    if value < schema.get("minimum", value):
        return [f"{at}: less than {schema['minimum']}"]
    if value <= schema.get("exclusiveMinimum", value - 1):
        return [f"{at}: not more than {schema['exclusiveMinimum']}"]
    return [f"{at}: more than {schema['maximum']}"] if value > schema.get("maximum", value) else []


def check(text: str) -> list[str]:
    schema = json_schema()
    return faults(read_yaml(text, "x").tree, schema, schema)


# -- the shipped files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make"), [("config-schema.json", schema_text), ("config.example.yaml", example_text)]
)
def test_the_shipped_files_are_made_from_the_code(name: str, make: Any) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == make()


def test_the_schema_names_every_key_with_its_default() -> None:
    schema = json.loads(schema_text())
    assert set(schema["$defs"]) == set(TABLES) - {"top"}
    for name, table in TABLES.items():
        section = schema if name == "top" else schema["$defs"][name]
        assert list(section["properties"]) == list(table)
        for key in table.values():
            written = section["properties"][key.name]
            assert written["description"] == key.meaning
            expected = list(key.default) if isinstance(key.default, tuple) else key.default
            assert written.get("default") == (expected or None if expected == "" else expected)


def test_the_example_loads_without_a_warning_and_fits_the_schema() -> None:
    text = example_text()
    assert parse_swap(text, "config.example.yaml", {}).warnings == ()
    assert check(text) == []


@pytest.mark.parametrize("alternative", example_values()[1:])
def test_the_alternatives_of_the_example_load_too(alternative: str) -> None:
    main = read_yaml(example_values()[0], "example").tree
    tree = {**main, **read_yaml(alternative, "alternative").tree}
    del tree["selectors"], tree["profiles"], tree["apiKeys"]
    assert build_swap(Source(Document("example", tree, {}))).warnings == ()
    assert check(alternative) == []


def test_the_example_has_every_key_with_meaning_and_default() -> None:
    """A key that is understood for old files only is listed at the end."""
    text = example_text()
    written = {
        (table, key.name) for values in example_values() for _, table, key in keys_in(values)
    }
    flat = " ".join(re.sub(r"(?m)^[ #]*", "", text).split())
    for name, table in TABLES.items():
        for key in table.values():
            assert (name, key.name) in written or key.deprecated, (name, key.name)
            assert key.meaning in flat
            if key.default not in {None, "", ()} and not key.deprecated and not key.required:
                assert f"Default: {shown_default(key)}." in flat


def test_the_reader_reads_every_key_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in a table and never read would be silently without effect."""
    read: set[int] = set()
    original = Section._key

    def recording(self: Section, name: str, kind: Any) -> Any:
        key = original(self, name, kind)
        read.add(id(key))
        return key

    monkeypatch.setattr(Section, "_key", recording)
    main = read_yaml(example_values()[0], "example").tree
    for alternative in ("", *example_values()[1:]):
        tree = {**main, **(read_yaml(alternative, "alternative").tree or {})}
        messages_of(tree)
    messages_of({"matrix": {"sets": {}}})
    messages_of({"groups": {"g": {}}})
    messages_of({"models": {"m": {"filters": {"strip_params": "x"}}}})
    unread = [
        (name, key.name)
        for name, table in TABLES.items()
        for key in table.values()
        if id(key) not in read and key.kind != "macros"  # these are read by the macro engine
    ]
    assert unread == []


def messages_of(tree: Any) -> None:
    with suppress(ConfigError):
        build_swap(Source(Document("x", tree, {})))


# -- agreement with the reader ---------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_public_shapes_fit_the_schema(path: Path) -> None:
    assert check(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "globalTtl: 1",
        "globalTTL: soon",
        "globalTTL: -1",
        "startPort: 0",
        "startPort: [1]",
        "logLevel: loud",
        "sendLoadingState: maybe",
        "apiKeys: secret",
        "apiKeys: [{kye: x}]",
        "macros: {a: [1]}",
        "macros: {a b: 1}",
        "models: [m]",
        "models: {m: {cmd: 'x ${PORT}', aliases: x}}",
        "models: {m: {cmd: 'x ${PORT}', memory: 24G}}",
        "models: {m: {cmd: 'x ${PORT}', ttl: -2}}",
        "performance: {every: 5}",
        "store: {}",
        "peers: {p: {proxy: 'http://h'}}",
        "selectors: {s: {strategy: worm, targets: [x]}}",
        "routing: {router: {use: groop}}",
        "routing: {router: {settings: {memory: {budget: all}}}}",
        "matrix: {evict_costs: {a: x}, sets: {s: a}}",
    ],
)
def test_what_the_schema_refuses_the_reader_tells(text: str) -> None:
    assert check(text)
    if "memory: {budget" not in text:  # settings that are not chosen are not read
        assert messages(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "globalTTL: ${n}",
        "sendLoadingState: yes",
        "models: {m: }",
        "models: {m: {cmd: x, ttl: '${t}', memory: '${m}', name: 7, env: [1]}}",
        "apiKeys: [a, 1, {sha256: b, name: n}]",
        "peers:",
        "peers: {p: {proxy: 'http://h', discover: true}}",
        "peers: {p: {proxy: 'http://h', models: [x]}}",
        "macros: {a: 1, b: true, c: 1.5, d: x}",
        "performance: {every: '${e}'}",
        "x-common: &c {ttl: 5}\nmodels: {m: {<<: *c, x-note: [1]}}",
    ],
)
def test_what_the_reader_takes_the_schema_takes(text: str) -> None:
    assert check(text) == []
