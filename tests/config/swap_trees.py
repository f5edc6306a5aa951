"""Configurations for property tests: right ones, right ones with a few mistakes, and anything."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from llmstack.config.swap_tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap_keys import SwapKey

NAMES = st.sampled_from(["a", "b", "p/a", "first", "x y", "(default)", "${m}", ""])
SCALARS = st.sampled_from(
    [None, True, 0, 1, 30, -1, 1.5, "a", "b", "x=y", "${m}", "${PORT}", "http://h:1", "5s", "24GiB"]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)

IDS = ("org/m:7b", "b", "c", "z.9")
ALIASES = ("first", "second", "third:x")
PEERS = ("there", "q/there")


def section(name: str) -> st.SearchStrategy[Any]:
    """A section whose keys are known; any of them may be missing, and any value may be wrong."""
    known = {key.name: st.deferred(lambda key=key: _value(key)) for key in TABLES[name].values()}
    return st.fixed_dictionaries({}, optional=known)


def _value(key: SwapKey) -> st.SearchStrategy[Any]:
    """A value of the right kind, and now and then another one."""
    right: st.SearchStrategy[Any] = SCALARS
    match key.kind:
        case "text":
            right = st.sampled_from([*key.choices, "a", "run ${PORT}", "http://h"])
        case "integer":
            right = st.integers(-2, 200)
        case "share":
            right = st.floats(-0.5, 1.5, allow_nan=False)
        case "boolean":
            right = st.booleans()
        case "texts":
            right = st.lists(NAMES, max_size=3)
        case "section":
            right = section(key.inner)
        case "sections":
            right = st.dictionaries(NAMES, section(key.inner), max_size=2)
        case "keys":
            right = st.lists(st.sampled_from(["k1", "k2"]) | section(key.inner), max_size=2)
        case "duration" | "size":
            pass
        case _:
            right = st.dictionaries(NAMES, SCALARS | st.dictionaries(NAMES, SCALARS), max_size=2)
    return st.one_of(right, right, right, ANYTHING)


ANY_TREES = section("top") | st.dictionaries(NAMES, ANYTHING, max_size=3) | ANYTHING


def _subset(items: tuple[str, ...], least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(items), unique=True, min_size=least, max_size=len(items))


@st.composite
def right_trees(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration in order: it refers to what it has, and to nothing else."""
    ids = draw(_subset(IDS, 1))
    aliases = draw(_subset(ALIASES))
    owner = {alias: draw(st.sampled_from(ids)) for alias in aliases}
    models: dict[str, Any] = {}
    for model_id in ids:
        models[model_id] = {
            "cmd": draw(st.sampled_from(["run ${PORT} ${both}", "# ${no}\nrun --port=${PORT}"])),
            "aliases": [alias for alias in aliases if owner[alias] == model_id],
            "ttl": draw(st.integers(-1, 90)),
            "metadata": {"n": "${number}", "id": "${MODEL_ID}", "port": "${PORT}"},
            "filters": {"stripParams": "b, a", "setParamsByID": {"${MODEL_ID}:fast": {"x": 1}}},
        }
    tree: dict[str, Any] = {
        "startPort": "${port}",
        "macros": {"port": 7000, "number": 1.5, "both": "<${number}>"},
        "models": models,
    }
    if draw(st.booleans()):
        tree["peers"] = {"p": {"proxy": "http://h", "models": list(PEERS), "apiKey": "sk-12345"}}
    names = (*ids, *aliases, *(PEERS if "peers" in tree else ()))
    tree.update(draw(st.sampled_from([_groups(ids), _matrix(ids), {}])))
    targets = draw(_subset(names, 1))
    tree["selectors"] = {"any": {"strategy": "pin", "targets": targets}}
    pins = {name: draw(st.sampled_from([None, "any", *names])) for name in ("new", ids[0])}
    tree["profiles"] = {"home": {"pins": pins}}
    tree["hooks"] = {"on_startup": {"preload": draw(_subset((*ids, *aliases)))}}
    return tree


def _groups(ids: list[str]) -> dict[str, Any]:
    half = len(ids) // 2
    groups = {"g": {"swap": False, "members": ids[:half]}, "h": {"members": ids[half:]}}
    return {"groups": groups}


def _matrix(ids: list[str]) -> dict[str, Any]:
    short = {f"v{number}": model_id for number, model_id in enumerate(ids)}
    sets = {"s": " | ".join(short), "t": f"+s & ({' & '.join(short)})"}
    return {"matrix": {"vars": short, "evict_costs": {"v0": 3}, "sets": sets}}


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, item in inner:
        found.append((*path, key))
        if isinstance(item, dict | list):
            found += _places(item, (*path, key))
    return found


def _at(tree: Any, path: Iterable[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def wrong_trees(draw: st.DrawFn) -> dict[str, Any]:
    """A right configuration of which a few values are replaced, also by others of it, or moved."""
    tree = copy.deepcopy(draw(right_trees()))
    for _ in range(draw(st.integers(1, 3))):
        places = _places(tree)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        holder = _at(tree, way)
        others = [at for at in places if type(_at(tree, at)) is type(holder[last])]
        other = copy.deepcopy(_at(tree, draw(st.sampled_from(others))))
        value = holder.pop(last)
        match draw(st.sampled_from(["replace", "copy", "rename", "remove"])):
            case "replace":
                value = draw(ANYTHING)
            case "copy":
                value = other
            case "rename" if isinstance(holder, dict):
                last = draw(NAMES)
            case "remove":
                continue
        if isinstance(holder, dict):
            holder[last] = value
        else:
            holder.insert(last, value)
    return tree
