"""What is remembered of prompts is little, whatever clients make of them."""

from __future__ import annotations

from llmstack.context.prefix import FRONT
from llmstack.dialects.translation.reply import Usage
from llmstack.server.prefixes import LONGEST, Prefixes

PATH = "/v1/chat/completions"


def _links(count: int, *, changed: int = -1) -> tuple[bytes, ...]:
    return tuple(b"%15d%d" % (index, index == changed) for index in range(count))


def test_the_front_of_a_very_long_prompt_is_remembered_and_no_more() -> None:
    known, used, long = Prefixes(), Usage(input=100_000), LONGEST + 50
    assert known.note("m", b"s", PATH, b"{}", used, _links(long)) == ""
    assert sum(map(len, known._last.values())) == LONGEST
    assert known.note("m", b"s", PATH, b"{}", used, _links(long, changed=LONGEST + 1)) == ""
    told = known.note("m", b"s", PATH, b"{}", used, _links(long, changed=9))
    assert told == f"messages[{9 - len(FRONT)}]"
