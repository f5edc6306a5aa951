"""What the matrix asks, and what every place must answer: the tiny chat model's own words."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

#: A tool as JSON Schema describes its arguments.
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL_NAME = "get_weather"
TOOL_ARGUMENTS = '{"city": "Paris"}'


@dataclass(frozen=True)
class Wish:
    """One request in no API's words. ``limit`` is the most that may be answered, in tokens."""

    text: str
    limit: int = 40
    tools: bool = False
    image: bytes = b""


@dataclass(frozen=True)
class Said:
    """A whole answer. ``finish`` is in the words of its API, ``tokens`` are those in and out.

    ``pieces`` counts the events that brought something of it, 0 if it was not streamed.
    """

    text: str
    calls: tuple[tuple[str, Any], ...]
    finish: str
    tokens: tuple[int, int]
    model: str
    pieces: int = 0


def picture() -> bytes:
    """A PNG of two by two pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    pixels = b"".join(b"\0" + b"\xff\0\0" * 2 for _ in range(2))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


ANSWER = "The capital of France is Paris."
PLAIN = Wish("What is the capital of France?")
TOOLS = Wish("What is the weather in Paris?", limit=60, tools=True)
IMAGE = Wish("What is the capital of France?", image=picture())
#: More than any place's context takes.
TOO_LONG = Wish("read main.py " * 3_000)
#: Answered for as long as somebody listens.
ENDLESS = Wish("tell me a story", limit=4_000)
#: The same, but not for long where nobody can stop it.
LONG = replace(ENDLESS, limit=2_000)
