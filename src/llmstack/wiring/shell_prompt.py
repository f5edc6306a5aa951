"""The prompt's prefix. What is shown of a name is safe in every prompt and on every terminal."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.marker import Marker
    from llmstack.wiring.shell_quote import Shell

#: Colours of the 256-colour palette, by channel.
COLOURS = {"current": 38, "next": 208, "external": 135}

#: Characters of a name that are shown.
LONGEST = 40

#: Beside letters and digits. None has a meaning in a prompt: no ``$``, backtick, ``\``, ``%``,
#: ``!``, quote or brace.
_SAFE = frozenset("._+-@,= ")

# A colour, which is kept, or a control character other than a line's end and a tab.
_CONTROL = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def display(name: str, longest: int = LONGEST) -> str:
    """``name`` with everything but letters, digits and a few signs replaced by ``?``.

    Control characters, terminal escapes, signs that change the direction of text and everything
    that a prompt would expand are among what is replaced. Too long a name is cut in its middle.
    """
    text = unicodedata.normalize("NFC", name)
    shown = "".join(letter if letter.isalnum() or letter in _SAFE else "?" for letter in text)
    if len(shown) <= longest:
        return shown
    half = (longest - 1) // 2
    return f"{shown[:half]}..{shown[-half:]}"


def label(name: str, marker: Marker) -> str:
    """``[llmstack:<dir>]``, with the URL for an external stack; plain text."""
    return f"[llmstack:{display(name)}{' ' + marker.url if marker.url else ''}]"


def prefix(shell: Shell, name: str, marker: Marker, *, colour: bool) -> str:
    """The text that goes in front of the prompt of ``shell``, in that prompt's own language."""
    text = label(name, marker)
    if not colour:
        return f"{text} "
    number = COLOURS[marker.channel]
    if shell == "bash":
        return rf"\[\e[38;5;{number}m\]{text}\[\e[0m\] "
    if shell == "zsh":
        return f"%F{{{number}}}{text}%f "
    return f"\x1b[38;5;{number}m{text}\x1b[0m "


def printable(text: object) -> str:
    """``text``, a path say, for a message: what a terminal could act on is spelt out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def printable_text(text: str) -> str:
    """Several lines, each ``printable``; tabs stay."""
    return re.sub(r"[^\n\t]+", lambda run: printable(run[0]), text)


def without_controls(text: str) -> str:
    """Running text, with what a terminal would act upon spelt out; colours and joiners stay."""
    return _CONTROL.sub(lambda one: one[1] or printable(one[0]), text)


def has_unicode(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether the terminal that the environment describes reads UTF-8.

    On another one, the bytes of a harmless letter may be a control character.
    """
    chosen = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if not chosen:
        return platform in ("win32", "darwin")
    return "utf-8" in chosen.lower() or "utf8" in chosen.lower()


def wants_colour(environ: Mapping[str, str]) -> bool:
    """Whether the terminal that the environment describes should get colour."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
