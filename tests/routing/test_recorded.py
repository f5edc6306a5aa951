"""What opencode really sends is routed as its user would expect."""

from __future__ import annotations

import pytest

from llmstack.dialects import read
from llmstack.routing import decide, mode_of, requested
from tests.dialects.recorded import RECORDED, Recorded, recorded
from tests.routing.stacks import LADDERS

PLANNED = {"plan_title"}


@pytest.mark.parametrize("request_", RECORDED, ids=lambda request: request.name)
@pytest.mark.parametrize(("stack", "best"), [("full", "code-ultra"), ("local", "code-smart")])
def test_recorded_requests_sent_to_auto(request_: Recorded, stack: str, best: str) -> None:
    view = read(request_.path, request_.asking_for("auto"))
    decision = decide(view, LADDERS[stack])
    assert requested(view.model)
    if request_.name in PLANNED:
        assert (decision.model, decision.reason) == ("plan", "plan words, no tools")
    else:
        assert (decision.model, decision.reason) == (best, "<= 12000 tokens")


def test_a_plan_request_without_its_tools_goes_to_the_plan_tier() -> None:
    # The reminder that comes with it is full of words like "edits" and "modifications".
    request = recorded("plan_design")
    body = {**request.body, "tools": [], "model": "auto"}
    view = read(request.path, Recorded("", "", body).wire)
    assert decide(view, LADDERS["full"]).model == "plan"


def test_a_client_in_plan_mode_gets_the_plan_tier_tools_or_not() -> None:
    request = recorded("plan_design")
    view = read(request.path, request.asking_for("auto"))
    assert view.has_tools
    decision = decide(view, LADDERS["full"], mode_of(view))
    assert (decision.model, decision.reason) == ("plan", "plan mode of the client")


def test_tools_count_towards_the_size() -> None:
    # 2,200 tokens of messages and 5,400 of tools.
    request = recorded("build_hello")
    view = read(request.path, request.wire)
    assert decide(view, LADDERS["low ceilings"]).reason == "tools present above 200"
    assert view.tokens > 7_000
