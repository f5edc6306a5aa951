"""What fitting leaves of a history, a real server's template still renders, in three APIs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmstack.context.body import read_history
from llmstack.context.checkpoints import Checkpoints
from llmstack.context.fit import drive
from llmstack.context.needs import Fitted, NeedExact
from llmstack.context.settings import ContextSettings, Policy
from tests.context.bodies import APIS, PATHS, body, conversations, total
from tests.context.driven import asked
from tests.e2e.test_counting import TOOLS, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmstack.context.history import Api
    from llmstack.context.needs import Answer, Need
    from tests.context.bodies import Turn
    from tests.e2e.test_counting import Place

#: As Mistral's and Gemma's do: a conversation begins with a user, and turns alternate.
ALTERNATE = """\
{%- set turn = namespace(of='assistant') %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'assistant' and not message.tool_calls) %}
{%- if message.role == turn.of %}
{{- raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}
{%- set turn.of = message.role %}{% endif %}{% endfor %}
"""
POLICIES: list[Policy] = ["limit_only", "always", "llm_assisted"]


class Server:
    """A real server, asked from tests that know no event loop."""

    def __init__(self, runner: asyncio.Runner, place: Place, *, strict: bool) -> None:
        self.strict = strict
        self._runner = runner
        self._place = place

    def tokens(self, path: str, request: bytes) -> int | None:
        """None for what its template refuses."""
        return self._runner.run(self._place.counting.local(self._place.model, path, request))

    def fit(
        self, api: Api, request: bytes, tokens: int, window: int, policy: Policy
    ) -> bytes | None:
        """With a ruler that has learned what this tokenizer makes of such text."""

        async def meet(need: Need) -> Answer:
            if isinstance(need, NeedExact):
                counting = self._place.counting
                return await counting.local(self._place.model, PATHS[api], need.body)
            return None

        wanted = asked(api, request, window, ContextSettings(policy=policy), Checkpoints())
        history = read_history(PATHS[api], request)
        assert history
        wanted = replace(wanted, scale=tokens / total(history))
        outcome = self._runner.run(drive(wanted, meet))
        return outcome.body if isinstance(outcome, Fitted) else None


def alternating(turns: list[Turn]) -> list[Turn]:
    """Without the turns that such a template refuses."""
    kept: list[Turn] = []
    speaker = "assistant"
    for turn in turns:
        if turn[0] != speaker:
            kept.append(turn)
            speaker = speaker if turn[0] == "round" else turn[0]
    return kept


@pytest.fixture(scope="module", params=["any order", "alternating"])
def server(
    request: pytest.FixtureRequest, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    template = tmp_path_factory.mktemp("template") / "strict.jinja"
    strict = request.param == "alternating"
    template.write_text((ALTERNATE if strict else "") + TOOLS, "utf-8")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        flags = ("-c", "16384", "-np", "1", "--jinja", "--chat-template-file", str(template))
        place = runner.run(stack.enter_async_context(serving(tiny_chat, *flags)))
        try:
            yield Server(runner, place, strict=strict)
        finally:
            runner.run(stack.aclose())


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.sampled_from(APIS), st.sampled_from(POLICIES), conversations, st.sampled_from([2, 3, 5]))
def test_what_is_left_renders_and_fits(
    server: Server, api: Api, policy: Policy, turns: list[Turn], part: int
) -> None:
    """Histories that the template took before it takes after, too."""
    if server.strict:
        turns = alternating(turns)
    request = body(api, turns, system="be terse", max_tokens=32)
    before = server.tokens(PATHS[api], request)
    if before is None or before < 600:
        return
    window = before // part
    sent = server.fit(api, request, before, window, policy)
    if sent is None:
        return
    after = server.tokens(PATHS[api], sent)
    assert after is not None, "the template refuses what was sent"
    assert after + 32 <= window
