"""Signals: words that tell what kind of work is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.routing import languages
from llmstack.routing.stems import forms, has_word_edges

if TYPE_CHECKING:
    from collections.abc import Iterable

# Up to three words between a verb and its object: "fix the failing unit test". A preposition ends
# it, so that "write a plan for tests" does not ask for tests.
_BETWEEN = r"(?:(?!(?:about|and|as|for|from|how|in|of|on|or|that|to|why|with)\b)[\w'/.-]+\s+){0,3}"
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A pattern, and the words one of which any match begins with (none: look for it always).

    ``ascii`` is false where no match is all ASCII.
    """

    first: frozenset[str]
    pattern: re.Pattern[str]
    ascii: bool = True


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
        plain = text.isascii()
        for phrase in self.phrases:
            if plain and not phrase.ascii:
                continue
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


def _whole(phrases: tuple[str, ...]) -> Phrase:
    """Phrases of scripts with blanks, none inflected."""
    texts = [re.escape(text).replace(r"\ ", r"\s+") for text in _longest_first(phrases)]
    first = frozenset(word for text in phrases for word in _WORD.findall(text)[:1])
    return Phrase(first, re.compile(rf"(?<!\w)(?:{'|'.join(texts)})(?!\w)"))


def _anywhere(signs: tuple[str, ...]) -> Phrase:
    """Words of scripts without blanks."""
    return Phrase(frozenset(), re.compile(_any(frozenset(signs))), ascii=False)


def _any(words: frozenset[str]) -> str:
    return "|".join(map(re.escape, _longest_first(words)))


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted(words, key=lambda word: (-len(word), word))


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
        "roadmap",
    )
    | languages.PLAN_WORDS,
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
        _phrase("pro", r" and cons"),
        _phrase("argue", r" both sides"),
        _phrase("help", r" (?:me|us) (?:choose|decide|think|weigh)"),
        _phrase("should", r" i (?:use|choose|pick|go with|switch to|move to|prefer)"),
        _phrase("how", r" you(?:'d| would)"),
        _phrase("best", r" ways? to (?:structure|organi[sz]e|model|split|lay out|set up)"),
        _phrase("what", r" (?:could|can|might) go wrong"),
        _phrase("what", r" are (?:my|our|the) (?:options|alternatives)"),
        _phrase("which", r" (?:ways|options|alternatives) (?:are there|do (?:i|we) have)"),
        _phrase("review", r" (?:my|our|the|this) (?:idea|proposal|concept|strategy)"),
        _phrase("lay", r" out ~(?:ways|options|alternatives)"),
        _phrase("weigh", r" (?:up )?~(?:options?|alternatives|pros)"),
        _phrase("talk", r" me out of"),
        _phrase("strategy", r" (?:for|to)"),
        _phrase("no", r" code (?:yet|for now)"),
        _phrase("write", r" (?:any )?code yet"),
        _whole(languages.PLAN_PHRASES),
        _anywhere(languages.PLAN_SIGNS),
    ),
)

CODE = Signal(
    _all_forms("implement", "refactor", "edit", "patch", "debug", "trace", "compile")
    | languages.CODE_WORDS,
    (
        _phrase("fix", r" ~(?:bug|issue|error|test)s?"),
        _phrase("write", r" ~(?:function|class|test|script|module|method)(?:e?s)?"),
        _phrase("add", r" ~(?:function|class|method|test|file|endpoint)(?:e?s)?"),
        _phrase("create", r" ~(?:function|class|file|component|endpoint)(?:e?s)?"),
        _phrase("generate", r" ~code"),
        _phrase("run", r" ~(?<!a/b\s)tests?"),
        _phrase("build", r" (?:it|this|that)"),
        _whole(languages.CODE_PHRASES),
        _anywhere(languages.CODE_SIGNS),
    ),
)
