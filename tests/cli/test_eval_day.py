"""``llmstack eval day`` and ``llmstack eval replay`` run without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

INI = """
[code-fast]
role = fast
hf_repo = a/b
hf_file = f.gguf
ctx_size = 131072
size_gb = 2
[code-smart]
role = agent
hf_repo = a/b
hf_file = s.gguf
ctx_size = 65536
size_gb = 20
"""


def test_days_are_json_with_the_sums_of_every_seed(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "models.ini").write_text(INI)
    done = command(
        *("eval", "day", "--seed", "1001", "--days", "2", "--models-ini", "models.ini", "--json")
    )
    found = json.loads(done.out)
    assert found["seeds"] == [1001, 1002]
    assert [one["declares_mode"] for one in found["results"]] == [False, True]
    for one in found["results"]:
        # A fast and an agent tier are loaded together: nothing can be swapped.
        assert all(day["swaps"] == 0 for days in one["policies"].values() for day in days)


def test_the_table_for_documents_has_a_row_for_every_policy(
    command: Callable[..., Outcome],
) -> None:
    shown = command("eval", "day", "--seed", "1001", "--days", "1", "--markdown").out
    assert shown.count("| sticky |") == 4
    assert shown.count("| ladder+mode |") == 2
    assert "with a local code-ultra of 55 GB" in shown


def test_a_replay_says_what_moved_and_what_nobody_can_know(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    rows = [
        {"id": 1, "ts_created": 1000, "model_id": "plan", "reason": "plan words, no tools"},
        {"id": 2, "ts_created": 1009, "model_id": "plan", "reason": "title: nothing loaded"},
        {"id": 3, "ts_created": 1100, "model_id": "somebody-else", "reason": ""},
    ]
    for row in rows:
        row |= {"req_path": "/v1/chat/completions", "input_tokens": 900, "duration_ms": 500}
    (tmp_path / "log.json").write_text(json.dumps(rows))
    shown = command("eval", "replay", "log.json")
    assert shown.status == 0
    assert "2 requests, 0 named their model; 1 would have moved." in shown.out
    assert "plan -> code-fast" in shown.out
    assert "keeps no prompts" in shown.out
    assert "1 rows left out" in shown.out
    found = json.loads(command("eval", "replay", "log.json", "--json").out)
    assert [one["to"] for one in found["moved"]] == ["code-fast"]


def test_a_log_of_another_stack_is_refused(command: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('[{"model_id": "x", "ts_created": 1}]')
    done = command("eval", "replay", "log.json")
    assert done.status != 0
    assert "has no conversation with a tier" in done.err
