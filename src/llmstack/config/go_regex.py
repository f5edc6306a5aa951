"""Regular expressions in Go's syntax (RE2), compiled for Python.

Where the two languages spell the same thing differently it is translated; what RE2 does not have
(look-around, back references, possessive quantifiers) is refused, so that a pattern that is
accepted here is one that Go programs accept too. Source: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
import warnings

#: RE2 refuses larger repetition counts.
_MAX_REPEAT = 1000
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")
_GROUP = re.compile(r"\(\?(?:P?<([A-Za-z_]\w*)>|([imsU]*(?:-[imsU]+)?)([:)]))")
_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_REPEATS = "*+?"


def compile_go(pattern: str) -> re.Pattern[str]:
    r"""``pattern`` as Go would understand it.

    ``\d``, ``\w``, ``\s`` and ``\b`` are ASCII, ``$`` is the very end of the text unless ``(?m)``
    is on. Raises ValueError with the reason for what Go or Python cannot compile.
    """
    translated = _Translator(pattern).run()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return re.compile(translated, re.ASCII)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from None


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._out: list[str] = []
        self._multi_line = [False]

    def run(self) -> str:
        text = self._text
        while self._at < len(text):
            character = text[self._at]
            if character == "\\":
                self._escape()
            elif character == "[":
                self._bracket()
            elif text.startswith("(?", self._at):
                self._group()
            elif character in "*+?{":
                self._repeat()
            else:
                self._plain(character)
        return "".join(self._out)

    def _plain(self, character: str) -> None:
        if character == "(":
            self._multi_line.append(self._multi_line[-1])
        elif character == ")" and len(self._multi_line) > 1:
            self._multi_line.pop()
        elif character == ")":
            raise ValueError("unexpected )")
        if character == "$" and not self._multi_line[-1]:
            character = r"\Z"
        self._out.append(character)
        self._at += 1

    def _escape(self) -> None:
        text, at = self._text, self._at
        following = text[at + 1 : at + 2]
        if following == "Q":
            end = text.find(r"\E", at + 2)
            end = len(text) if end < 0 else end
            self._out.append(re.escape(text[at + 2 : end]))
            self._at = end + 2
        elif following == "z":
            self._put(r"\Z", 2)
        else:
            self._common_escape()

    def _common_escape(self) -> None:
        """An escape that means the same inside and outside of brackets."""
        text, at = self._text, self._at
        following = text[at + 1 : at + 2]
        if match := _HEX.match(text, at):
            try:
                self._put(re.escape(chr(int(match[1], 16))), len(match[0]))
            except ValueError:
                raise ValueError(f"invalid escape sequence: {match[0]}") from None
        elif following in {"p", "P"}:
            raise ValueError("Unicode classes (\\p) are not supported")
        elif not following:
            raise ValueError("trailing backslash at the end")
        elif following.isalnum() and following not in "afnrtvxdDsSwWbBA0":
            raise ValueError(f"invalid escape sequence: \\{following}")
        else:
            self._put(text[at : at + 2], 2)

    def _bracket(self) -> None:
        text = self._text
        self._put("[", 1)
        if text.startswith("^", self._at):
            self._put("^", 1)
        first = True
        while first or not text.startswith("]", self._at):
            first = False
            if self._at >= len(text):
                raise ValueError("missing closing ]")
            character = text[self._at]
            if match := _CLASS.match(text, self._at):
                if match[1] or match[2] not in _POSIX:
                    raise ValueError(f"character class {match[0]} is not supported")
                self._put(_POSIX[match[2]], len(match[0]))
            elif character == "\\":
                self._common_escape()
            else:
                self._put(f"\\{character}" if character in "[]&|~" else character, 1)
        self._put("]", 1)

    def _group(self) -> None:
        match = _GROUP.match(self._text, self._at)
        if match is None:
            raise ValueError("invalid or unsupported Perl syntax: `(?`")
        name, flags, end = match.groups()
        if name is not None:
            self._multi_line.append(self._multi_line[-1])
            self._put(f"(?P<{name}>", len(match[0]))
            return
        on, _, off = flags.partition("-")
        if "U" in flags:
            raise ValueError("the flag U is not supported")
        multi_line = ("m" in on or self._multi_line[-1]) and "m" not in off
        if end == ":":
            self._multi_line.append(multi_line)
            self._put(match[0], len(match[0]))
        elif self._out and "".join(self._out).replace("(?", "").strip("imsx)"):
            raise ValueError("flags must stand at the start, or hold for a group: (?i:...)")
        elif off or not on:
            raise ValueError(f"the flags {match[0]} are not supported")
        else:
            self._multi_line[-1] = multi_line
            self._put(match[0], len(match[0]))

    def _repeat(self) -> None:
        text, at = self._text, self._at
        counted = _COUNT.match(text, at)
        if text[at] == "{" and counted is None:
            self._put(r"\{", 1)
            return
        length = 1
        if counted is not None:
            length = len(counted[0])
            if max(int(counted[1]), int(counted[2] or 0)) > _MAX_REPEAT:
                raise ValueError(f"invalid repeat count: {counted[0]}")
        written = text[at : at + length]
        following = text[at + length : at + length + 1]
        if following == "?":
            written += "?"
            following = text[at + length + 1 : at + length + 2]
        if following and (
            following in _REPEATS or _COUNT.match(text, at + len(written)) is not None
        ):
            raise ValueError(f"invalid nested repetition operator: {written}{following}")
        self._put(written, len(written))

    def _put(self, output: str, consumed: int) -> None:
        self._out.append(output)
        self._at += consumed
