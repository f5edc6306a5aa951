"""Where prompts of one session first differ, for those who wonder why nothing was cached."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from llmstack.context.prefix import FRONT, chain, first_difference, place

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Usage

#: Sessions that are remembered.
MOST: Final = 512
#: Links of a chain that are remembered: what a client makes of messages must not fill the memory.
LONGEST: Final = 4096
#: Prompts below this many tokens are read faster than anybody looks.
SMALL: Final = 256
#: A prompt of which at least this part was cached began as the one before it.
ENOUGH: Final = 0.5


class Prefixes:
    """The last prompt of each session and model, as hashes. For one event loop."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, bytes], tuple[bytes, ...]] = OrderedDict()

    def note(
        self,
        model: str,
        session: bytes,
        path: str,
        body: bytes,
        usage: Usage,
        links: tuple[bytes, ...] = (),
    ) -> str:
        """Take note of a prompt that was answered, and say where it differs from the last one.

        Empty while it only continues that one, where the server had most of it cached, and for a
        prompt that is small or the session's first. ``system``, ``tools``, ``messages[7]`` else.
        ``links`` are the body's ``chain`` where somebody has it.
        """
        if usage.input < SMALL:
            return ""
        links = links or chain(path, body)
        if not links:
            return ""
        key = model, session or links[len(FRONT)] if len(links) > len(FRONT) else session
        before = self._last.pop(key, None)
        self._last[key] = links[:LONGEST]
        if len(self._last) > MOST:
            self._last.popitem(last=False)
        if before is None or usage.cached >= ENOUGH * usage.input:
            return ""
        link = first_difference(before, links)
        return "" if link is None else place(path, link)
