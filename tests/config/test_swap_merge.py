"""Several files are one configuration; what they disagree on is told with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.swap_merge import load_sources, merge, merge_sources, source_paths
from llmstack.config.swap_source import Source, read_source
from llmstack.config.yaml_source import Document, read_yaml
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.problems import Problem


def merged(*texts: str) -> Document:
    sources = [read_source(text, f"{n}.yaml", {}) for n, text in enumerate(texts, 1)]
    return merge_sources(sources).document


def write(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def failed(config: Path | None, folder: Path | None, **environ: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_sources(config, folder, environ)
    return caught.value.problems


# -- the rules of spec 1.4; top 40 line 11 ---------------------------------------------------------


@pytest.mark.top40(11, "merging")
@pytest.mark.parametrize(
    ("left", "right", "tree"),
    [
        ("a: 1", "b: 2", {"a": 1, "b": 2}),
        ("a: 1", "a: 1", {"a": 1}),
        ("a: 1", "a:", {"a": 1}),
        ("a:", "a: 1", {"a": 1}),
        ("a: .nan\nb: {c: 1}", "b: {d: 2}", {"b": {"c": 1, "d": 2}}),
        ("a: [1]", "a: [1, 2]", {"a": [1, 1, 2]}),
        ("models: {a: {}}", "models: {b: {}}", {"models": {"a": {}, "b": {}}}),
        ("models:", "models: {b: {}}", {"models": {"b": {}}}),
        ("macros: {x: 1, y: 2}", "macros: {z: 3, x: 1}", {"macros": {"x": 1, "y": 2, "z": 3}}),
        ("# nothing", "a: 1", {"a": 1}),
        ("a: 1", "", {"a": 1}),
        (
            "routing: {router: {settings: {matrix: {sets: {}}}}}",
            "routing: {router: {settings: {matrix: {vars: {}}}}}",
            {"routing": {"router": {"settings": {"matrix": {"sets": {}, "vars": {}}}}}},
        ),
    ],
)
def test_files_that_agree_are_merged(left: str, right: str, tree: dict[str, Any]) -> None:
    document = merged(left, right)
    assert document.problems == ()
    document.tree.pop("a", None) if ".nan" in left else None
    assert document.tree == tree
    assert list(document.tree) == list(tree)


@pytest.mark.top40(11, "duplicates and conflicts")
@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ("a: 1", "a: 2", 'conflict at "a": 2.yaml sets a different value than a previous source.'),
        (
            "a: 1",
            "a: true",
            'conflict at "a": 2.yaml sets a different value than a previous source.',
        ),
        (
            "a: {b: x}",
            "a: {b: y}",
            'conflict at "a.b": 2.yaml sets a different value than a previous source.',
        ),
        ("a: 1", "a: [1]", 'conflict at "a": incompatible YAML node kinds (scalar and sequence).'),
        (
            "a: {}",
            "a: []",
            'conflict at "a": incompatible YAML node kinds (mapping and sequence).',
        ),
        (
            "macros: {x: 1}",
            "macros: {x: 2}",
            'conflict at "macros.x": 2.yaml sets a different value than a previous source.',
        ),
        *(
            (
                f"{name}: {{a: {{}}}}",
                f"{name}: {{a: {{}}}}",
                f'duplicate {name} "a" found in 2.yaml (already defined in another config source).',
            )
            for name in ("models", "groups", "profiles", "selectors", "peers")
        ),
        (
            "matrix: {vars: {a: b}}",
            "matrix: {vars: {c: d}}",
            'duplicate matrix "vars" found in 2.yaml (already defined in another config source).',
        ),
        (
            "routing: {router: {settings: {groups: {g: }}}}",
            "routing: {router: {settings: {groups: {g: }}}}",
            'duplicate groups "g" found in 2.yaml (already defined in another config source).',
        ),
        ("a: 1", "[b]", "the top level: expected a mapping, got a sequence."),
    ],
)
def test_files_that_disagree_are_told(left: str, right: str, message: str) -> None:
    (problem,) = merged(left, right).problems
    assert problem.message == message
    assert (problem.file, problem.line) == ("2.yaml", 1)


def test_every_value_keeps_its_file_and_line() -> None:
    document = merged("a:\n  - x: 1\n", "\na:\n  - y: 2\nb: {c: 3}\n", "\n\na: [z]\n")
    assert document.tree == {"a": [{"x": 1}, {"y": 2}, "z"], "b": {"c": 3}}
    places = {path: (place.file, place.line) for path, place in document.places.items()}
    assert places["a",] == ("1.yaml", 1)
    assert places["a", 0, "x"] == ("1.yaml", 2)
    assert places["a", 1] == places["a", 1, "y"] == ("2.yaml", 3)
    assert places["a", 2] == ("3.yaml", 3)
    assert places["b", "c"] == ("2.yaml", 4)


# -- files and directories -------------------------------------------------------------------------


def test_a_file_comes_first_then_the_directory_in_order(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", b="{}", a="{}")
    (folder / "c.yml").write_text("{}")
    for name in ("x.YAML", "y.yaml.bak", "z.json"):
        (folder / name).write_text("- no")
    (folder / "sub.yaml").mkdir()
    config = tmp_path / "config.yaml"
    config.write_text("")
    names = [path.name for path in source_paths(config, folder)]
    assert names == ["config.yaml", "a.yaml", "b.yaml", "c.yml"]


def test_no_source_and_a_source_twice_are_errors(tmp_path: Path) -> None:
    (problem,) = failed(None, write(tmp_path / "empty"))
    assert problem.message == "no configuration sources found."
    (problem,) = failed(None, None)
    assert problem.message == "no configuration sources found."
    folder = write(tmp_path / "d", a="{}")
    (problem,) = failed(folder / "a.yaml", folder)
    assert "is also in the configuration directory" in problem.message
    assert problem.fix.startswith("Remove it from one place")
    (problem,) = failed(None, tmp_path / "missing")
    assert problem.message.startswith("cannot be read")


def test_only_empty_files_give_the_defaults(tmp_path: Path) -> None:
    config = load_sources(None, write(tmp_path / "d", a="# nothing\n", b=""), {})
    assert config.models == {}
    assert config.health_check_timeout == 120


def test_files_share_macros_and_read_the_environment_on_their_own(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "d",
        a="macros: {bin: ${env.BIN}}\n",
        b="models: {m: {cmd: '${bin} ${PORT}'}}\n# ${env.UNSET}\n",
    )
    config = load_sources(None, folder, {"BIN": "/opt/server"})
    assert config.models["m"].cmd == "/opt/server 5800"
    assert config.source == f"{folder / 'a.yaml'}, {folder / 'b.yaml'}"
    assert config.secrets == {"/opt/server"}
    (problem,) = failed(None, folder)
    assert (problem.file, problem.line) == (str(folder / "a.yaml"), 1)
    assert problem.message == "environment variable 'BIN' is not set."


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "d",
        a="startPort: 0\n\nmodels:\n  m: {cmd: 'x ${PORT}', ttl: -5}\n",
        b="\nmodels:\n  m: {cmd: y}\nstartPort: 7\n",
        c="models: {n: {cmd: 'x ${nope}', proxy: 'http://h'}}\nzzz: 1\n",
    )
    found = [
        (p.file[-6:], p.line, p.severity, p.message.split(" ")[0]) for p in failed(None, folder)
    ]
    assert found == [
        ("a.yaml", 1, "error", "startPort"),
        ("a.yaml", 4, "error", "model"),
        ("b.yaml", 3, "error", "duplicate"),
        ("b.yaml", 4, "error", "conflict"),
        ("c.yaml", 1, "error", "unknown"),
        ("c.yaml", 2, "warning", "unknown"),
    ]
    (folder / "b.yaml").write_bytes(b"\xff")
    (folder / "c.yaml").write_text("a: [")
    assert [p.file[-6:] for p in failed(None, folder)] == ["b.yaml", "c.yaml"]


def test_a_set_of_the_matrix_knows_its_file(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "d",
        a="models: {m: {cmd: 'x ${PORT}'}}\nmatrix: {vars: {v: m}}",
        b="\nmatrix: {sets: {s: v}}",
    )
    config = load_sources(None, folder, {})
    assert config.matrix is not None
    (entry,) = config.matrix.sets
    assert (entry.file, entry.line) == (str(folder / "b.yaml"), 2)


# -- properties ------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    ["models", "groups", "matrix", "routing", "router", "settings", "macros", "a"]
)
LEAVES = st.sampled_from([None, True, 1, 1.0, 2, "x", "1"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.none() | st.dictionaries(KEYS, TREES, max_size=4)


def document(name: str, tree: Any) -> Document:
    return Document(name, tree, {}, ())


@given(MAPPINGS, MAPPINGS, MAPPINGS)
def test_merging_is_associative(left: Any, middle: Any, right: Any) -> None:
    """Where nothing conflicts the order of merging does not matter; a conflict is found always."""
    a, b, c = document("a", left), document("b", middle), document("c", right)
    first = merge(merge(a, b), c)
    second = merge(a, merge(b, c))
    assert bool(first.problems) == bool(second.problems)
    if not first.problems:
        assert repr(first.tree) == repr(second.tree)


@given(MAPPINGS)
def test_an_empty_file_changes_nothing(tree: Any) -> None:
    full, empty = document("a", tree), document("b", None)
    assert merge(full, empty).tree == merge(empty, full).tree == tree


@given(st.lists(st.text(alphabet="ab:-{}[]&*<! \n#'\"1$", max_size=40), min_size=1, max_size=4))
def test_no_text_makes_merging_crash(texts: list[str]) -> None:
    sources = [Source(read_yaml(text, str(n))) for n, text in enumerate(texts)]
    merge_sources(sources)
