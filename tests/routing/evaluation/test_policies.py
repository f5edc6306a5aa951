"""What the ways of routing see, and that they are judged as they are."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

import msgspec
import pytest

from llmstack.dialects import read
from llmstack.routing import decide
from llmstack.routing.evaluation import (
    baselines,
    by_ladder,
    by_session,
    evaluate,
    every_role,
    request,
)
from llmstack.routing.evaluation.policies import KIND_OF
from llmstack.routing.evaluation.turn import Said
from tests.routing.evaluation.turns import SHIPPED, turn

if TYPE_CHECKING:
    from llmstack.routing import Role
    from llmstack.routing.evaluation import Turn


def ticking() -> float:
    return next(TICKS) * 1e-6


TICKS = count()


@pytest.mark.parametrize("client", ["opencode", "claude-code"])
def test_a_turn_becomes_the_request_that_its_client_would_send(client: str) -> None:
    one = next(one for one in SHIPPED if one.client == client and one.reminder and one.session)
    sent = request(one)
    view = read(sent.path, sent.body)
    assert view.dialect == ("messages" if client == "claude-code" else "chat")
    assert view.last_user.strip() == one.text  # the reminder beside it is not the user's
    assert view.system == one.system
    assert view.has_tools == one.tools
    assert view.user_turns == 1 + sum(said.role == "user" for said in one.session)


@pytest.mark.parametrize("one", SHIPPED[::7], ids=lambda one: one.id)
def test_every_turn_is_a_request_to_auto(one: Turn) -> None:
    sent = request(one)
    assert json.loads(sent.body)["model"] == "auto"
    view = read(sent.path, sent.body)
    assert view.tokens < every_role().high, "size is not to decide"
    assert bool(view.max_output) == bool(one.max_output or one.tools or view.dialect == "messages")


def test_no_two_turns_share_a_session() -> None:
    sessions = {request(one).headers["x-session-id"] for one in SHIPPED}
    assert len(sessions) == len(SHIPPED)


def test_the_ladder_policy_is_the_gateways_decision() -> None:
    policy, ladder = by_ladder(every_role()), every_role()
    for one in SHIPPED:
        sent = request(one)
        assert policy(one) == decide(read(sent.path, sent.body), ladder).model


def test_the_router_stays_where_the_set_says_that_the_session_is() -> None:
    policy = by_session(every_role())
    session = ({"role": "user", "text": "Which way?"}, {"role": "assistant", "text": "That one."})
    said = msgspec.convert(session, tuple[Said, ...])
    for standing in ("plan", "agent", "fast"):
        follow_up = turn("inherit", text="continue", session=said, standing=standing)
        assert policy(follow_up) == standing
    fresh = turn(text="continue")
    assert policy(fresh) == by_ladder(every_role())(fresh)


def test_one_turn_leaves_nothing_behind_that_sways_another() -> None:
    policy = by_session(every_role())
    forwards = [policy(one) for one in SHIPPED]
    backwards = [policy(one) for one in reversed(SHIPPED)]
    assert forwards == backwards[::-1]


def test_the_baselines_do_what_their_names_say() -> None:
    known = [turn("plan"), turn("plan"), turn("agent")]
    named = baselines(known)
    assert named["always agent"](turn("plan")) == "agent"
    assert named["majority"](turn("agent")) == "plan"
    assert named["keyword list"](turn(text="Which options are there?")) == "plan"
    assert named["keyword list"](turn(text="Rename it")) == "agent"
    assert named["keyword list"](turn(text="what is an ABI")) == "fast"
    assert named["client declared"](turn(mode="architect")) == "plan"
    assert named["client declared"](turn(mode="build")) == "agent"
    assert named["client declared"](turn()) is None


def test_one_who_knows_the_labels_is_perfect() -> None:
    found = evaluate("oracle", lambda one: one.right[0], SHIPPED, ticking)
    assert (found.accuracy, found.macro_f1, found.cost) == (1, 1, 0)
    assert found.interval == (1, 1)
    assert all(score.f1 == 1 for score in found.kinds.values())


def test_without_an_opinion_the_session_stays() -> None:
    turns = [turn("inherit", standing="plan"), turn("plan"), turn("fast", mode="ask")]

    def declared(one: Turn) -> Role | None:
        return "fast" if one.mode else None

    found = evaluate("declared", declared, turns, ticking)
    assert found.coverage == pytest.approx(1 / 3)
    assert found.covered == 1
    assert found.accuracy == pytest.approx(2 / 3)  # the second turn had nowhere to stay
    assert found.confusion["plan"] == {"plan": 1, "agent": 1, "fast": 0}


def test_parts_add_up_and_latency_is_what_the_clock_says() -> None:
    found = evaluate("agent", lambda _: "agent", SHIPPED, ticking)
    assert sum(size for _, size in found.by_kind.values()) == len(SHIPPED)
    weighted = sum(share * size for share, size in found.by_language.values())
    assert weighted == pytest.approx(found.accuracy * len(SHIPPED))
    assert found.p50 == pytest.approx(1)
    assert found.paraphrase.flipped == found.typo.flipped == 0
    assert found.paraphrase.compared >= 40


def test_every_role_is_of_a_kind() -> None:
    assert set(KIND_OF) == set(every_role().rungs)
