"""What is told of the stops at which nobody answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstack.backends.whole_answer import WholeAnswer
from llmstack.errors import BackendFailed
from llmstack.server.journey import Journey
from llmstack.server.stop import Stop

if TYPE_CHECKING:
    from llmstack.backends.protocol import Answer, Ask

pytestmark = pytest.mark.anyio


class Says:
    """A backend that fails with some words, or answers without any."""

    def __init__(self, words: str = "") -> None:
        self.words = words

    async def open(self, ask: Ask) -> Answer:
        if self.words:
            raise BackendFailed(self.words, status=429, elsewhere=True)
        return WholeAnswer(200, [], b"{}")


def stop(name: str, backend: Any) -> Stop:
    scope = {
        "method": "POST",
        "path": "/v1/messages",
        "raw_path": b"/v1/messages",
        "query_string": b"",
        "headers": [],
    }
    return Stop(name, "openai", backend, name, scope, b"{}")


async def test_an_upstreams_words_are_one_printable_line_in_header_and_log() -> None:
    words = "slow\r\nX-Evil: 1\n2026 INFO forged\x1b[31m\x00 \u2028caf\u00e9"
    journey = Journey(stop("a", Says(words)), iter([stop("b", Says())]), [], named=True)
    assert (await journey.open(None, None)).status == 200
    headers = dict(journey.headers())
    assert headers[b"x-llmstack-model"] == b"b"
    assert journey.note().isprintable()
    told = headers[b"x-llmstack-fallback"].decode("ascii")
    assert told.isprintable()
    assert told.startswith("a: 429 slow  X-Evil: 1")
