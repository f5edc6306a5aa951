"""English word forms, enough to see that *planning* and *plans* are about a *plan*."""

from __future__ import annotations

_VOWELS = "aeiou"
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_SHORTEST = 3


def forms(word: str) -> frozenset[str]:
    """``word`` and its regular inflections; the word alone when it is not an English one."""
    if len(word) < _SHORTEST or not (word.isascii() and word.isalpha()):
        return frozenset({word})
    last, before = word[-1], word[-2]
    if last == "e":
        return frozenset({word, word + "s", word + "d", word[:-1] + "ing"})
    if last == "y" and before not in _VOWELS:
        return frozenset({word, word[:-1] + "ies", word[:-1] + "ied", word + "ing"})
    plural = word + ("es" if word.endswith(_SIBILANTS) else "s")
    # Both "planning" and "planing": which one is right depends on the stress ("editing").
    doubled = word + last if _ends_short(word) else word
    return frozenset({word, plural, word + "ed", word + "ing", doubled + "ed", doubled + "ing"})


def has_word_edges(text: str) -> bool:
    """Whether ``text`` is in a script that puts blanks between words, as scripts with case do."""
    return text.isascii() or text.upper() != text


def _ends_short(word: str) -> bool:
    """Whether the word ends in consonant, vowel, consonant, as *plan* does."""
    consonant, vowel, last = tuple(word[-3:])
    return last not in _VOWELS + "wxy" and vowel in _VOWELS and consonant not in _VOWELS
