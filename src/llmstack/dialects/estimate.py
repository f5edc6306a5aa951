"""How many tokens a prompt has, without a tokenizer.

Sizes are kept in quarter tokens, so that they add up without rounding: a byte of UTF-8 is one
quarter, and a CJK character (three bytes) is raised to a whole token. Against the recorded agent
requests the sum is within a few percent of a real tokenizer's count.
"""

from __future__ import annotations

import msgspec

#: An image counts the same whatever its size: models scale pictures to a bounded grid.
MEDIA = 4 * 1000
#: What a chat template adds around each message.
MESSAGE = 4 * 4
#: A token id in a prompt that was tokenized by the client.
TOKEN = 4

# Every byte that does not begin a three-byte character from U+3000 on: kana, CJK, Hangul.
_NOT_WIDE = bytes(range(0xE3)) + bytes(range(0xF0, 0x100))


def text_size(text: str) -> int:
    """The size of ``text`` in quarter tokens."""
    if text.isascii():
        return len(text)
    return _utf8_size(text.encode("utf-8", "replace"))


def json_size(raw: bytes) -> int:
    """The size of a JSON document in quarter tokens; an escape counts as its character."""
    if not raw:
        return 0
    if rb"\u" in raw:
        raw = _without_unicode_escapes(raw)
    escapes = raw.count(b"\\") - raw.count(b"\\\\")
    return (len(raw) if raw.isascii() else _utf8_size(raw)) - escapes


def value_size(value: object) -> int:
    """The size of a decoded JSON value in quarter tokens, as if it were written compactly."""
    return text_size(value) if isinstance(value, str) else json_size(msgspec.json.encode(value))


def tokens(size: int) -> int:
    """Whole tokens, rounded up."""
    return -(-size // 4)


def _utf8_size(raw: bytes) -> int:
    """The bytes, and one more for every CJK character, which makes a whole token of it."""
    return len(raw) + len(raw.translate(None, _NOT_WIDE))


def _without_unicode_escapes(raw: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeError):
        return raw
