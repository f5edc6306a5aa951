"""However deep a body is, it is refused before anything is written of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from llmstack.dialects.translation.chat_body import write_chat
from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.conversation import Sampling
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.messages_request import read_messages
from llmstack.dialects.translation.reply import Origin
from llmstack.dialects.translation.responses_reply import ResponsesStream
from llmstack.dialects.translation.responses_request import read_responses
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects.translation.conversation import Conversation

HI = '"messages":[{"role":"user","content":"x"}]'
CALL = '{"type":"tool_use","id":"1","name":"f","input":%s}'
FORM = '{"type":"json_schema","schema":%s}'
ASKS: list[tuple[Callable[[bytes], Conversation], str]] = [
    (read_chat, f'{{{HI},"tools":[{{"function":{{"name":"f","parameters":%s}}}}]}}'),
    (read_chat, f'{{{HI},"response_format":{{"type":"json_schema","json_schema":{FORM}}}}}'),
    (read_messages, f'{{{HI},"tools":[{{"name":"f","input_schema":%s}}]}}'),
    (read_messages, f'{{{HI},"output_format":{FORM}}}'),
    (read_messages, f'{{"messages":[{{"role":"assistant","content":[{CALL}]}}]}}'),
    (read_responses, '{"input":"x","tools":[{"type":"function","name":"f","parameters":%s}]}'),
    (read_responses, f'{{"input":"x","text":{{"format":{FORM}}}}}'),
]


@pytest.mark.parametrize("ask", range(len(ASKS)))
@pytest.mark.parametrize("depth", [5, 90, 101, 500, *range(960, 1000, 3), 5000])
def test_any_depth_is_refused_or_written(ask: int, depth: int) -> None:
    read, body = ASKS[ask]
    read((body % ('{"a":' * 5 + "1" + "}" * 5)).encode())
    with suppress(BadRequest):
        said = read((body % ('{"a":' * depth + "1" + "}" * depth)).encode())
        ResponsesStream(Origin("1", "m", 1), said).start()
        write_chat(said)
        write_converse(said, "anthropic.claude-sonnet-4-5-20250929-v1:0", Sampling())
