"""``llmstack route`` decides as the gateway does, without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def test_the_decision_comes_with_its_reason_and_the_rules_that_were_tried(
    command: Callable[..., Outcome],
) -> None:
    shown = command("route", "How should we design the cache?").out
    assert shown.startswith("plan   plan words, no tools")
    assert "ultra trigger: no" in shown


def test_json_is_one_object(command: Callable[..., Outcome]) -> None:
    decision = json.loads(command("route", "--json", "fix the failing test").out)
    assert decision["model"] == "code-smart"
    assert decision["tokens"] > 0


def test_a_recorded_request_can_be_routed(command: Callable[..., Outcome], tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function"}]}
    (tmp_path / "request.json").write_text(json.dumps(body))
    from_file = command("route", "--file", "request.json")
    from_pipe = command("route", "--file", "-", stdin=json.dumps(body))
    assert from_file.out == from_pipe.out
    assert from_file.out.startswith("code-smart")


def test_the_users_own_stack_is_used(command: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / ".llmstack").mkdir()
    (tmp_path / ".llmstack" / "models.ini").write_text(
        "[mine]\nrole = agent\nhf_repo = a/b\nhf_file = c.gguf\n"
    )
    assert command("route", "hello").out.startswith("mine ")


def test_the_environment_stands_over_the_file(command: Callable[..., Outcome]) -> None:
    shown = command("route", "--json", "x" * 400, ROUTER_HIGH_FIDELITY_CEILING="50").out
    assert json.loads(shown)["reason"] != "<= 12000 tokens"


def test_a_bad_body_is_an_error_that_says_so(command: Callable[..., Outcome]) -> None:
    outcome = command("route", "--file", "-", stdin="[1, 2]")
    assert outcome.status == 1
    assert "JSON object" in outcome.err
    assert "Traceback" not in outcome.err


def test_nothing_to_route_says_what_to_write(command: Callable[..., Outcome]) -> None:
    outcome = command("route")
    assert outcome.status == 1
    assert "llmstack route" in outcome.err
