"""Signals: words that tell what kind of work is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmstack.routing.stems import forms, has_word_edges

# Up to three words between a verb and its object: "fix the failing unit test". A preposition ends
# it, so that "write a plan for tests" does not ask for tests.
_BETWEEN = r"(?:(?!(?:about|and|as|for|from|how|in|of|on|or|that|to|why|with)\b)[\w'/.-]+\s+){0,3}"
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A pattern, and the words one of which any match begins with (none: look for it always)."""

    first: frozenset[str]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Signal:
    """Single words in all their forms, and phrases."""

    words: frozenset[str]
    phrases: tuple[Phrase, ...]

    def find(self, text: str) -> str | None:
        """The signal found in ``text``, None when there is none. Case does not matter."""
        text = text.lower()
        present: set[str] = set(_WORD.findall(text))
        hits = present & self.words
        if hits:
            return min(hits)
        for phrase in self.phrases:
            if not phrase.first or not phrase.first.isdisjoint(present):
                match = phrase.pattern.search(text)
                if match:
                    return match.group()
        return None


def signal(listed: tuple[str, ...], built_in: Signal) -> Signal:
    """The signal of a user's own list; the built-in one when the list is empty."""
    items = [item.strip().lower() for item in listed if item.strip()]
    if not items:
        return built_in
    single = [item for item in items if _WORD.fullmatch(item) and has_word_edges(item)]
    return Signal(_all_forms(*single), tuple(_plain(item) for item in items if item not in single))


def _all_forms(*words: str) -> frozenset[str]:
    return frozenset(form for word in words for form in forms(word))


def _phrase(first: str, rest: str) -> Phrase:
    """``first`` in any form, then ``rest``: a blank is any white space, ``~`` words between."""
    rest = rest.replace(" ", r"\s+").replace("~", _BETWEEN)
    return Phrase(forms(first), re.compile(rf"(?<!\w)(?:{_any(forms(first))}){rest}(?!\w)"))


def _plain(text: str) -> Phrase:
    """A user's own phrase, taken literally but for white space and the form of its end words."""
    first, *others = text.split()
    parts = [f"(?:{_any(forms(first))})", *map(re.escape, others)]
    if others:
        parts[-1] = f"(?:{_any(forms(others[-1]))})"
    pattern = r"\s+".join(parts)
    if has_word_edges(text):
        pattern = rf"(?<!\w){pattern}(?!\w)"
    guarded = _WORD.fullmatch(first) and has_word_edges(text)
    return Phrase(forms(first) if guarded else frozenset(), re.compile(pattern))


def _any(words: frozenset[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


PLAN = Signal(
    _all_forms(
        "plan",
        "design",
        "architect",
        "architecture",
        "approach",
        "tradeoff",
        "brainstorm",
        "outline",
        "summarise",
        "summarize",
        "migrate",
    ),
    (
        _phrase("trade", r"[- ]offs?"),
        _phrase("should", r" we"),
        _phrase("how", r" would (?:you|we)"),
        _phrase("what", r" would you"),
        _phrase("explain", r" why"),
        _phrase("reason", r" about"),
        _phrase("think", r"(?: it| this)? (?:through|step|hard|carefully)"),
        _phrase("compare", r" ~(?:options?|approaches|alternatives)"),
        _phrase("root", r"[- ]causes?"),
        _phrase("port", r"(?: it| this| that)? to"),
    ),
)

CODE = Signal(
    _all_forms("implement", "refactor", "edit", "patch", "debug", "trace", "compile"),
    (
        _phrase("fix", r" ~(?:bug|issue|error|test)s?"),
        _phrase("write", r" ~(?:function|class|test|script|module|method)(?:e?s)?"),
        _phrase("add", r" ~(?:function|class|method|test|file|endpoint)(?:e?s)?"),
        _phrase("create", r" ~(?:function|class|file|component|endpoint)(?:e?s)?"),
        _phrase("generate", r" ~code"),
        _phrase("run", r" ~tests?"),
        _phrase("build", r" (?:it|this|that)"),
    ),
)
