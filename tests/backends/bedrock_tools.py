"""Two tools in the words of each API, and of Converse."""

from __future__ import annotations

from tests.backends.bedrock_home import CHAT, MESSAGES, RESPONSES

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": "d", "parameters": SCHEMA}}
    for name in ("weather", "time")
]
MESSAGES_TOOLS = [
    {"name": name, "description": "d", "input_schema": SCHEMA} for name in ("weather", "time")
]
RESPONSES_TOOLS = [
    {"type": "function", "name": name, "description": "d", "parameters": SCHEMA, "strict": False}
    for name in ("weather", "time")
]
SPECS = [
    {"toolSpec": {"name": name, "description": "d", "inputSchema": {"json": SCHEMA}}}
    for name in ("weather", "time")
]
TOOLS = {CHAT: CHAT_TOOLS, MESSAGES: MESSAGES_TOOLS, RESPONSES: RESPONSES_TOOLS}
