"""Tiers on Bedrock, by the real aiobotocore over the wire."""

from __future__ import annotations

import json

import pytest

from tests.backends.bedrock_home import CHAT, COMPLETIONS, MESSAGES, RESPONSES, ask, home, read
from tests.backends.bedrock_server import whole

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, MESSAGES, RESPONSES])
async def test_every_api_is_answered_in_its_own_words(path: str, stream: bool) -> None:
    async with home() as here:
        if not stream:
            here.server.answers(whole())
        answer = await here.tier().open(ask(path, stream=stream))
        assert answer.status == 200
        body = await read(answer)
        assert b"Hello" in body
        assert answer.usage
        assert (answer.usage.input, answer.usage.output) == (11, 5)
        assert here.server.call.operation == ("converse-stream" if stream else "converse")
        assert (here.server.call.key, here.server.call.region) == ("AKIAWORK", "eu-central-1")
        if not stream:
            assert json.loads(body)["model"] == "code-ultra"
