"""A second column of labels is asked for blind and taken only when it is one."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from llmstack.routing.evaluation import read_turns
from tests.routing.evaluation.turns import turn

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "tools" / "label_turns.py"


@pytest.fixture
def tool() -> ModuleType:
    spec = spec_from_file_location("label_turns", SCRIPT)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def turns() -> list[dict[str, Any]]:
    made = [turn("plan", id="a-1", text="one"), turn("fast", id="a-2", text="two")]
    return [json.loads(msgspec.json.encode(one)) for one in made]


def column(**labels: str) -> str:
    rows = [{"id": name.replace("_", "-"), "label_b": label} for name, label in labels.items()]
    return "\n".join(map(json.dumps, rows))


def test_what_is_given_away_tells_no_label_and_no_source(
    tool: ModuleType, turns: list[dict[str, Any]], tmp_path: Path
) -> None:
    tool.blind(turns, tmp_path)
    given = [json.loads(line) for line in (tmp_path / "turns.jsonl").read_text().splitlines()]
    assert {row["text"] for row in given} == {"one", "two"}
    for row in given:
        assert not row.keys() & {"label_a", "label_b", "kind", "source", "split", "group"}
        assert "a-" not in row["id"]
    codebook = (tmp_path / "codebook.md").read_text()
    assert "| `inherit` |" in codebook
    assert "macro-F1" not in codebook


def test_labels_come_back_under_either_id(tool: ModuleType, turns: list[dict[str, Any]]) -> None:
    blind_id = tool.scrambled("a-1")
    text = column(a_2="agent") + "\n" + json.dumps({"id": blind_id, "label_b": "plan"})
    assert tool.merge(turns, text) == ""
    merged = read_turns("".join(map(tool.line, turns)).encode(), "merged")
    assert [one.label_b for one in merged] == ["plan", "agent"]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"a_1": "plan", "a_2": "fast"}, "not written independently"),
        ({"a_1": "plan"}, "1 turns have no label"),
        ({"a_1": "planning", "a_2": "fast"}, "no such label: 'planning'"),
        ({"a_9": "plan"}, "no such turn: a-9"),
    ],
)
def test_a_column_that_is_none_is_refused(
    tool: ModuleType, turns: list[dict[str, Any]], labels: dict[str, str], problem: str
) -> None:
    assert problem in tool.merge(turns, column(**labels))
