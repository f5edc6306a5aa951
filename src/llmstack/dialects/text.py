"""What people wrote: text out of message content, without what the harness wrote for them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Blocks that coding agents put into a user's message on their own account.
HARNESS_TAGS = (
    "system-reminder",
    "environment_context",
    "environment_details",
    "ide_opened_file",
    "ide_selection",
    "local-command-caveat",
    "local-command-stdout",
    "user_instructions",
)

# A tuple: a part's type may be any JSON value, hashable or not.
_TEXT_PARTS = (None, "text", "input_text", "output_text")


def texts(content: Any) -> Iterable[str]:
    """The text pieces of a message's content: a string, one part or a list of parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        text = content.get("text")
        if isinstance(text, str) and content.get("type") in _TEXT_PARTS:
            yield text
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, (str, dict)):
                yield from texts(part)


def spoken(content: Any) -> str | None:
    """What the user said in one message.

    None when the message is no turn of the user's: it holds nothing but tool results or nothing
    but harness text. A message with only an image is a turn with empty text.
    """
    written = "\n".join(texts(content))
    # One letter is looked for far faster than two, and megabytes of code often have none.
    text = without_blocks(written, HARNESS_TAGS) if "<" in written else written
    if text and not text.isspace():
        return text
    parts = content if isinstance(content, list) else [content]
    others = [part for part in parts if _is_other(part)]
    if others:
        return None if all(part["type"] == "tool_result" for part in others) else ""
    return None if (written and not written.isspace()) or content == [] else ""


def unquoted(text: str) -> str:
    """``text`` without the one pair of quotes that ``opencode run`` puts around a message."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        inner = text[1:-1].replace('\\"', "\0")
        if '"' not in inner and not inner.endswith("\\"):
            return inner.replace("\0", '"').strip()
    return text


def without_blocks(text: str, tags: tuple[str, ...]) -> str:
    """``text`` without its ``<tag>…</tag>`` blocks.

    A block begins where its opening tag begins a line or follows another tag, so that a sentence
    about the tag is left alone; a block that is not closed is left alone too. Takes time linear
    in ``text``.
    """
    kept: list[str] = []
    done = 0
    unclosed: set[str] = set()
    opening = _openings(tags)
    found = opening.search(text)
    while found:
        closing = f"</{found[1]}>"
        end = -1 if closing in unclosed else text.find(closing, found.end())
        if end < 0:
            unclosed.add(closing)
            found = opening.search(text, found.end())
            continue
        kept.append(text[done : found.start()])
        done = end + len(closing)
        found = opening.search(text, done)
    kept.append(text[done:])
    return "".join(kept)


@lru_cache(maxsize=16)
def _openings(tags: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(tag) for tag in tags)
    return re.compile(rf"(?<![^\n>])<({names})(?:[ \t][^<>\n]*)?>")


def _is_other(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") not in _TEXT_PARTS
