"""What moves between models on the wire: nothing for side work, turns and terse follow-ups."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.client.http import post_json
from llmstack.config.stack import Routing
from llmstack.config.swap import Group
from tests.server.conftest import free_ports
from tests.server.house import fake, running, side_by_side, tier
from tests.server.wire import ask, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from llmstack.engine import ModelChanged
    from tests.server.house import House
    from tests.server.wire import Answer

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
TIERS = (
    tier("small", "fast", 50_000),
    tier("coder", "agent", 50_000),
    tier("planner", "plan", 50_000),
)
PLAN_MODE = "<system-reminder>\n# Plan Mode - System Reminder\nread only\n</system-reminder>"
TOOL = {"type": "function", "function": {"name": "bash", "parameters": {}}}


def stack(root: Path, **routing: Any) -> AbstractAsyncContextManager[House]:
    """One large model at a time, beside the small one."""
    small, coder, planner = free_ports(3)
    swap = side_by_side(fake("small", small), fake("coder", coder), fake("planner", planner))
    groups = (
        Group("small", ("small",), swap=False, exclusive=False),
        Group("large", ("coder", "planner"), swap=True, exclusive=False),
    )
    swap = replace(swap, groups=groups)
    return running(root, swap, tiers=TIERS, routing=Routing(**routing))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with stack(tmp_path) as house:
        yield house


@pytest.fixture
def starts(house: House) -> list[str]:
    """The models that are started, in order."""
    return watched(house)


def watched(house: House) -> list[str]:
    seen: list[str] = []

    def note(event: ModelChanged) -> None:
        if event.what == "starting":
            seen.append(event.model)

    house.engine.events.subscribe(note)
    return seen


@dataclass
class Talk:
    """One session of a client with the gateway."""

    house: House
    session: str
    model: str = "auto"
    tools: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, text: str, **more: Any) -> Answer:
        self.messages.append({"role": "user", "content": text})
        answer = await self.send(**more)
        self.messages.append({"role": "assistant", "content": "well"})
        return answer

    async def run_tool(self) -> Answer:
        """The last answer called a tool; its result goes back."""
        self.messages[-1] = {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}
        self.messages.append({"role": "tool", "tool_call_id": "1", "content": "plan: design it"})
        answer = await self.send()
        self.messages.append({"role": "assistant", "content": "well"})
        return answer

    async def send(self, **more: Any) -> Answer:
        body = {"model": self.model, "messages": self.messages, **more}
        if self.tools:
            body["tools"] = [TOOL]
        headers = [("x-session-affinity", self.session)]
        return await ask(self.house.gateway, "POST", CHAT, body, headers=headers)

    async def title(self) -> Answer:
        system = {"role": "system", "content": "You are a title generator. You output ONLY a title"}
        said = {"role": "user", "content": "Generate a title for this conversation:\n"}
        messages = [system, said, *self.messages[:1]]
        headers = [("x-session-affinity", self.session)]
        body = {"model": "auto", "messages": messages, "max_tokens": 2048}
        return await ask(self.house.gateway, "POST", CHAT, body, headers=headers)


def chosen(answer: Answer) -> str:
    assert answer.status == 200
    return answer.header("x-llmstack-model")


async def test_no_title_and_no_probe_moves_a_model(house: House, starts: list[str]) -> None:
    """opencode asks for a title beside the first answer, and other clients try the server out."""
    await house.engine.load("small")
    talk = Talk(house, "one", tools=True)
    assert chosen(await talk.say("how should we design the cache?")) == "coder"
    titled = await talk.title()
    assert chosen(titled) == "small"
    assert titled.header("x-llmstack-reason") == "title goes to the small tier"
    probe = {"model": "auto", "messages": [{"role": "user", "content": "plan"}], "max_tokens": 1}
    assert chosen(await ask(house.gateway, "POST", CHAT, probe)) == "small"
    assert starts == ["small", "coder"]


async def test_a_title_goes_to_what_is_loaded_when_the_small_tier_is_not(
    house: House, starts: list[str]
) -> None:
    talk = Talk(house, "one", tools=True)
    await talk.say("how should we design the cache?")
    assert chosen(await talk.title()) == "coder"
    assert starts == ["coder"]


async def test_a_tool_loop_and_terse_follow_ups_stay(house: House, starts: list[str]) -> None:
    talk = Talk(house, "one")
    assert chosen(await talk.say("how should we design the cache?")) == "planner"
    looped = await talk.run_tool()
    assert looped.header("x-llmstack-reason") == "the same turn stays on planner"
    for text in ("continue", "ja, mach weiter", "好的"):
        assert chosen(await talk.say(text)) == "planner"
    assert chosen(await talk.say("now write the parser for it")) == "coder"
    assert chosen(await talk.say("yes")) == "coder"
    assert starts == ["planner", "coder"]


async def test_plan_and_build_by_turns_load_once_each(house: House, starts: list[str]) -> None:
    """What the client's agent declares is done; nothing in between moves."""
    await house.engine.load("small")
    talk = Talk(house, "one", tools=True)
    assert chosen(await talk.say(f"add a cache\n{PLAN_MODE}")) == "planner"
    assert chosen(await talk.title()) == "small"
    assert chosen(await talk.run_tool()) == "planner"
    assert chosen(await talk.say("now build it")) == "coder"
    assert chosen(await talk.run_tool()) == "coder"
    assert chosen(await talk.title()) == "small"
    assert starts == ["small", "planner", "coder"]


async def test_a_model_that_is_named_is_what_the_client_gets(house: House) -> None:
    talk = Talk(house, "one", tools=True)
    await talk.say("write the parser")
    talk.model = "planner"
    answer = await talk.say("yes")
    assert chosen(answer) == "planner"
    assert answer.header("x-llmstack-reason") == "named by the client"
    talk.model = "auto"
    assert chosen(await talk.say("ok")) == "coder"


async def test_a_switch_that_costs_too_much_is_not_made_and_the_reason_says_so(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, switch_cost_limit=0) as house:
        starts = watched(house)
        talk = Talk(house, "one")
        await talk.say("write the parser")
        stayed = await talk.say("how should we design the cache? " + "words " * 3000)
        assert chosen(stayed) == "coder"
        reason = stayed.header("x-llmstack-reason")
        assert reason.startswith("stays on coder: a switch to planner costs about ")
        assert chosen(await talk.say("[nofilter] how should we design it?")) != "small"
        assert starts == ["coder"]


async def test_off_is_the_bare_ladder(tmp_path: Path) -> None:
    async with stack(tmp_path, sticky=False) as house:
        starts = watched(house)
        talk = Talk(house, "one")
        assert chosen(await talk.say("how should we design the cache?")) == "planner"
        assert chosen(await talk.say("continue")) == "coder"
        assert starts == ["planner", "coder"]


async def test_two_sessions_do_not_take_each_others_turns(house: House) -> None:
    one, two = Talk(house, "one"), Talk(house, "two")
    assert chosen(await one.say("how should we design the cache?")) == "planner"
    assert chosen(await two.say("write the parser for it in parser.py")) in ("coder", "planner")
    assert chosen(await one.say("go on")) == "planner"


async def test_a_turn_goes_on_elsewhere_when_its_model_cannot_be_asked(house: House) -> None:
    talk = Talk(house, "one")
    assert chosen(await talk.say("how should we design the cache?")) == "planner"
    # Too long for its window now; a model that is down is `tests/routing/test_route.py`'s.
    talk.messages[-1] = {"role": "assistant", "content": "words " * 40_000}
    talk.messages.append({"role": "tool", "tool_call_id": "1", "content": "done"})
    gone = await talk.send()
    assert gone.header("x-llmstack-reason").startswith("no longer fits planner; ")


async def test_looking_at_what_a_load_would_evict_loads_nothing(
    house: House, starts: list[str]
) -> None:
    await house.engine.load("coder")
    assert house.engine.outlook("planner").evicts == {"coder"}
    assert house.engine.outlook("small").evicts == frozenset()
    assert house.engine.outlook("coder").evicts == frozenset()
    assert starts == ["coder"]


async def test_speeds_are_learned_and_kept(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        await house.engine.load("coder")
        talk = Talk(house, "one", tools=True)
        await talk.say("words " * 300)
        path = house.work.speeds
    await eventually(path.exists, "nothing was kept")
    kept = json.loads(path.read_text())["models"]["coder"]
    assert 0 < kept["load_seconds"] < 60


async def test_the_route_is_explained_and_nothing_is_done(house: House, starts: list[str]) -> None:
    got = await ask(house.gateway, "GET", "/api/route?text=how+should+we+design+it")
    told = got.json()
    assert (told["model"], told["kind"], told["rule"]) == ("planner", "turn", "words")
    body = {
        "model": "small",
        "messages": [{"role": "user", "content": "Generate a title for this conversation:"}],
    }
    headers = [("x-session-id", "ses_very_private")]
    got = await ask(house.gateway, "POST", "/api/route", body, headers=headers)
    told = got.json()
    assert (told["model"], told["kind"]) == ("small", "title")
    assert len(told["session"]) == 8
    path, wire = "/api/route?path=/v1/chat/completions", json.dumps(body).encode()
    seen = await asyncio.to_thread(post_json, house.stack.gateway, path, wire)
    assert seen.keys() == told.keys()
    assert "private" not in got.body.decode()
    assert starts == []
    wrong = await ask(house.gateway, "GET", "/api/route?path=/v1/embeddings&text=x")
    assert wrong.status == 400
