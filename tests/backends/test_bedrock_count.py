"""``/v1/messages/count_tokens`` and its like: Bedrock's count, else an estimate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.errors import BadRequest
from tests.backends.bedrock_home import CLAUDE, ask, home, read
from tests.backends.bedrock_server import Refusal, Whole

if TYPE_CHECKING:
    from llmstack.backends.bedrock import Bedrock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

COUNT = "/v1/messages/count_tokens"


async def count(tier: Bedrock, **said: Any) -> tuple[int, bool]:
    """The count, and whether it is an estimate."""
    answer = await tier.open(ask(COUNT, **said))
    assert answer.status == 200
    body = json.loads(await read(answer))
    assert answer.exhausted
    assert list(body) == ["input_tokens"]
    return body["input_tokens"], answer.header(b"x-llmstack-estimated") == b"true"


async def test_bedrock_counts() -> None:
    """Its operation knows models, not the inference profiles of a geography."""
    async with home() as here:
        here.server.answers(Whole({"inputTokens": 42}))
        said = {"system": "Be brief.", "tools": [{"name": "t", "input_schema": {}}]}
        assert await count(here.tier(), **said) == (42, False)
        call = here.server.call
        assert call.operation == "count-tokens"
        assert call.model == CLAUDE.removeprefix("eu.")
        told = call.body["input"]["converse"]
        assert told["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
        assert told["system"] == [{"text": "Be brief."}]
        assert told["toolConfig"]["tools"][0]["toolSpec"]["name"] == "t"


async def test_where_only_the_profile_is_known_it_is_counted_for() -> None:
    async with home() as here:
        refusal = Refusal(400, "ValidationException", "The provided model identifier is invalid.")
        here.server.answers(refusal, Whole({"inputTokens": 42}))
        assert await count(here.tier()) == (42, False)
        models = [call.model for call in here.server.calls]
        assert models == [CLAUDE.removeprefix("eu."), CLAUDE]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/chat/completions/input_tokens", {}),
        ("/v1/responses/input_tokens", {"messages": None, "input": "hi"}),
    ],
)
async def test_bedrock_counts_for_the_other_apis(path: str, said: dict[str, Any]) -> None:
    async with home() as here:
        here.server.answers(Whole({"inputTokens": 42}))
        answer = await here.tier().open(ask(path, **said))
        assert json.loads(await read(answer)) == {"input_tokens": 42}
        told = here.server.call.body["input"]["converse"]
        assert told["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
        here.server.answers(Refusal(429, "ThrottlingException"))
        answer = await here.tier().open(ask(path, **said))
        assert answer.header(b"x-llmstack-estimated") == b"true"
        assert json.loads(await read(answer))["input_tokens"] > 0


REFUSALS = [
    Refusal(400, "ValidationException", "The provided model doesn't support counting tokens."),
    Refusal(403, "AccessDeniedException", "not authorized to perform: bedrock:CountTokens"),
    Refusal(429, "ThrottlingException"),
    Refusal(503, "ServiceUnavailableException"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[str(each.status) for each in REFUSALS])
async def test_an_estimate_stands_in_and_says_so(refusal: Refusal) -> None:
    async with home() as here:
        tier = here.tier()
        here.server.answers(refusal)
        tokens, estimated = await count(tier, system="word " * 100)
        assert estimated
        assert 100 <= tokens <= 200
        assert tier.health().usable


async def test_an_unusable_account_can_still_estimate() -> None:
    async with home() as here:
        assert (await count(here.tier(profile="absent")))[1]
        assert not here.server.calls


async def test_a_wrong_request_is_refused() -> None:
    async with home() as here:
        with pytest.raises(BadRequest):
            await here.tier().open(ask(COUNT, messages=3))
