"""``llmstack eval route`` says how well ``auto`` chooses, without a daemon."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec

from tests.routing.evaluation.turns import SHIPPED, turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

POLICIES = {"router", "bare ladder", "always agent", "majority", "keyword list", "client declared"}


def test_the_text_names_the_set_its_hash_and_every_policy(
    command: Callable[..., Outcome],
) -> None:
    shown = command("eval", "route").out
    test = sum(one.split == "test" for one in SHIPPED)
    assert shown.startswith(f"turns.jsonl, split test: {test} turns of ")
    assert "sha256 " in shown
    assert "kappa" in shown
    for name in POLICIES:
        assert f"{name}  " in shown
        assert re.search(rf"chosen \(columns\): (.*; )?{name}(;|$)", shown, re.MULTILINE)
    assert "agent answered by fast 5" in shown


def test_json_is_one_object_with_all_numbers(command: Callable[..., Outcome]) -> None:
    found = json.loads(command("eval", "route", "--json", "--split", "all").out)
    assert found["results"][0]["turns"] == len(SHIPPED)
    assert {result["name"] for result in found["results"]} >= POLICIES
    for result in found["results"]:
        low, high = result["interval"]
        assert 0 <= low <= result["accuracy"] <= high <= 1
        assert sum(sum(row.values()) for row in result["confusion"].values()) == len(SHIPPED)
        assert result["p50"] <= result["p95"]
    assert found["costs"]["agent"]["fast"] == 5


def test_the_markdown_is_tables(command: Callable[..., Outcome]) -> None:
    shown = command("eval", "route", "--markdown", "--split", "tune").out
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert rows[1].startswith("| --- | ---:")
    width = rows[0].count("|")
    assert rows[2].count("|") == width


def test_ones_own_turns_can_be_used(command: Callable[..., Outcome], tmp_path: Path) -> None:
    mine = [turn("plan", id="a", label_b="agent"), turn("fast", id="b", label_b="fast")]
    (tmp_path / "mine.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, mine)))
    shown = command("eval", "route", "--data", "mine.jsonl").out
    assert shown.startswith("mine.jsonl, split test: 2 turns of 1 sources")
    assert "Two label columns on 2 turns of the set: 50% alike, kappa 0.33." in shown


def test_a_missing_file_and_an_empty_split_are_explained(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    missing = command("eval", "route", "--data", "nowhere.jsonl")
    assert (missing.status, "cannot read nowhere.jsonl" in missing.err) == (1, True)
    (tmp_path / "mine.jsonl").write_bytes(msgspec.json.encode(turn()))
    empty = command("eval", "route", "--data", "mine.jsonl", "--split", "tune")
    assert (empty.status, "--split all" in empty.err) == (1, True)


def test_misses_are_listed_of_tune_only(command: Callable[..., Outcome]) -> None:
    """Who has seen what goes wrong in test has no test any more."""
    refused = command("eval", "route", "--misses")
    assert (refused.status, "--split tune" in refused.err) == (1, True)
    tune = {one.id for one in SHIPPED if one.split == "tune"}
    for split in ("tune", "all"):
        *lines, last = command("eval", "route", "--misses", "--split", split).out.splitlines()
        assert {line.split()[0] for line in lines} < tune
        assert last == f"{len(lines)} of {len(tune)} turns"
