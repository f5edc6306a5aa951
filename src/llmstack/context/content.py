"""What a message's content weighs, and what of it a user wrote. Any JSON is taken as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from llmstack.dialects.text import spoken, texts, without_blocks

#: Part types that a model sees as a picture or that cost about as much.
PICTURES: Final = (
    *("image", "image_url", "input_image", "computer_screenshot"),
    *("audio", "input_audio", "document", "file", "input_file", "video_url"),
)
#: Members that no prompt shows: signatures, encrypted thoughts, cache marks.
_UNSEEN: Final = ("type", "id", "status", "signature", "encrypted_content", "cache_control")
#: What harnesses put into a user's message beside the blocks that ``dialects.text`` knows.
_BLOCKS: Final = ("env", "INSTRUCTIONS", "command-name", "command-message", "turn_aborted")
_AGENTS_HEADING = re.compile(r"^# AGENTS\.md instructions\b[^\n]*$", re.MULTILINE)
#: A result that an edit of ours put there. See ``edits.PLACEHOLDER``.
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]{0,60}\bllmstack\b")
#: Characters of the longest one: a log of ours that a tool shows begins with brackets too.
_LONGEST_PLACEHOLDER: Final = 1000
#: A note that an edit of ours put into a user's message.
_NOTE = re.compile(r"^\[[^\[\]\n]{0,60}\bllmstack\b[^\[\]]*\]", re.MULTILINE)

_ASCII = bytes(range(0x80))
# First bytes of characters before U+0380 in UTF-8. Bytes within characters lie below 0xCE too.
_NOT_WIDE = bytes(range(0xCE)) + bytes(range(0xF5, 0x100))
# Punctuation (dashes, quotes, dots) and further Latin letters above that border.
_NARROW = (b"\xe2\x80", b"\xe2\x81", b"\xe1\xb8", b"\xe1\xb9", b"\xe1\xba", b"\xe1\xbb")


@dataclass(slots=True)
class Weight:
    """Characters of an item, as a ``Unit`` counts them."""

    text: int = 0
    other: int = 0
    wide: int = 0
    images: int = 0

    def read(self, text: str) -> None:
        """Count words that the model reads as they are."""
        self.text += len(text)
        self.wide += wide_chars(text)

    def carry(self, value: Any) -> None:
        """Count what stands around them: names, arguments, unknown members."""
        if value is None:
            return
        written = value if isinstance(value, str) else _written(value)
        self.other += len(written)
        self.wide += wide_chars(written)

    def add(self, content: Any) -> None:
        """Count a message's content: a string, one part or a list of parts."""
        if isinstance(content, str):
            self.read(content)
        elif isinstance(content, list):
            for part in content:
                self.add(part)
        elif isinstance(content, dict):
            self._add_part(content)
        else:
            self.carry(content)

    def _add_part(self, part: dict[str, Any]) -> None:
        kind = part.get("type")
        text = part.get("thinking" if kind == "thinking" else "text")
        if isinstance(text, str):
            self.read(text)
        elif kind == "tool_use":
            self.carry(part.get("name"))
            self.carry(part.get("input"))
        elif kind == "tool_result":
            self.add(part.get("content"))
        elif isinstance(kind, str) and kind in PICTURES:
            self._add_picture(part)
        else:
            self.carry({name: value for name, value in part.items() if name not in _UNSEEN})

    def _add_picture(self, part: dict[str, Any]) -> None:
        source = part.get("source")
        if isinstance(source, dict) and source.get("type") in ("text", "content"):
            self.add(source.get("data", source.get("content")))
        else:
            self.images += 1


def wide_chars(text: str) -> int:
    """How many characters are outside of Latin scripts and common punctuation.

    Of these fewer make a token: letters from Greek on, kana, Han, Hangul, symbols, pictographs.
    """
    if text.isascii():
        return 0
    # Most of a text is ASCII as a rule, so that it is gone through once and not eight times.
    raw = text.encode("utf-8", "replace").translate(None, _ASCII)
    wide = len(raw.translate(None, _NOT_WIDE))
    return wide - sum(raw.count(start) for start in _NARROW) if wide else 0


def joined(content: Any) -> str:
    """All text of a content, its parts on lines of their own."""
    return content if isinstance(content, str) else "\n".join(texts(content))


def is_users(content: Any) -> bool:
    """Whether a user's message says something of the user's own: words or a picture."""
    said = spoken(content)
    if said is None:
        return False
    if "<" in said:
        said = without_blocks(_AGENTS_HEADING.sub("", said), _BLOCKS)
    if "llmstack" in said:
        said = _NOTE.sub("", said)
    if said and not said.isspace():
        return True
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in PICTURES for part in content
    )


def is_placeholder(text: str) -> bool:
    """Whether an earlier edit of ours put this in the place of a result."""
    return len(text) <= _LONGEST_PLACEHOLDER and _PLACEHOLDER.match(text) is not None


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode()
