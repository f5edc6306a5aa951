"""The user's own words in a message, as opposed to what the message quotes."""

from __future__ import annotations

import re

from llmstack.dialects import without_blocks

#: People say what they want at the ends of a message; this many characters of each are read.
REACH = 4000

FENCE = "```"

_PASTED_TAGS = (
    "attachment",
    "code",
    "content",
    "conversation",
    "document",
    "documents",
    "file",
    "files",
    "pasted",
)
# Stays where something was taken out: what stood beside it does not begin or end its line.
_MARK = "\0"
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")


def own_words(text: str, *, whole: bool = False) -> str:
    """``text`` without pasted blocks, code fences, ``>`` lines and inline code.

    Of a long text only the two ends, unless ``whole`` is asked for.
    """
    if "</" in text:
        text = without_blocks(text, _PASTED_TAGS)
    if FENCE in text:
        text = _MARK.join(text.split(FENCE)[::2])
    if not whole:
        text = edges(text)
    if ">" in text:
        text = _QUOTED_LINE.sub("", text)
    return _INLINE_CODE.sub(_MARK, text) if "`" in text else text


def edges(text: str) -> str:
    """The beginning and the end of a long text on lines of their own; a short one as it is."""
    return text if len(text) <= 2 * REACH else f"{text[:REACH]}{_MARK}\n{_MARK}{text[-REACH:]}"
