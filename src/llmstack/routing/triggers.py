"""Triggers: words that a user writes on purpose to choose a tier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

UNCENSORED = (
    "[uncensored]",
    "[nofilter]",
    "[no-filter]",
    "[heretic]",
    "uncensored:",
    "nofilter:",
    "no-filter:",
)
ULTRA = ("[ultra]", "[opus]", "ultra:", "opus:")

_NOWHERE = "(?!x)x"


@dataclass(frozen=True)
class Trigger:
    """One trigger in all its spellings.

    ``[name]`` counts at the beginning and at the end of a line, ``name:`` at the beginning of
    one; a spelling with neither brackets nor colon stands for both. Case does not matter. A
    bracket in the middle of a sentence, or the head of a Markdown link, talks about the trigger.
    """

    spellings: tuple[str, ...]

    def mentioned(self, text: str) -> bool:
        """Whether a name occurs anywhere in ``text``: a quick test before ``found``."""
        if not text.isascii():
            text = text.encode("ascii", "ignore").decode()
        lowered = text.lower()
        for name in self._names:  # noqa: SIM110  a loop: this runs four times for every request
            if name in lowered or not name.isascii():
                return True
        return False

    def found(self, own_words: str) -> bool:
        """Whether the user's own words use the trigger."""
        return self.mentioned(own_words) and self._pattern.search(own_words) is not None

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._bracketed(), *self._leading())))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        bracket = rf"\[(?:{_any(self._bracketed())})\]"
        lead = rf"(?:{_any(self._leading())})[ \t]*:(?!:)"
        return re.compile(
            rf"^[ \t]*(?:{bracket}(?![(\[])|{lead})|{bracket}[ \t]*\r?$",
            re.IGNORECASE | re.MULTILINE,
        )

    def _bracketed(self) -> list[str]:
        return [_name(item) for item in self.spellings if not item.strip().endswith(":")]

    def _leading(self) -> list[str]:
        return [_name(item) for item in self.spellings if not item.strip().startswith("[")]


def _name(spelling: str) -> str:
    return spelling.strip(" \t[]:").lower()


def _any(names: list[str]) -> str:
    return "|".join(re.escape(name) for name in names if name) or _NOWHERE
