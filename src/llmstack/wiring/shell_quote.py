"""One word for each shell, which it reads as exactly these bytes and does nothing else with.

The words are ASCII. What a locale, a console's code page or an odd quotation mark could change the
meaning of is written as a number.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Shell = Literal["bash", "zsh", "fish", "powershell"]

#: All shells that code is written for.
SHELLS: tuple[Shell, ...] = get_args(Shell)

# Without "!", which an interactive bash may take for history even when it is read by eval.
_PLAIN = re.compile(rb"[A-Za-z0-9_./:=@,+ -]+")


def quote(shell: Shell, text: str) -> str:
    """``text`` as one word of ``shell``.

    Raises:
        ValueError: it has a NUL, which no shell can hold.
    """
    if "\0" in text:
        raise ValueError("a NUL in a shell word")
    return _QUOTES[shell](text)


def _dollar_quote(text: str) -> str:
    """Bash and zsh: ``'...'``, or ``$'...'`` with octal numbers of three digits."""
    data = _bytes(text)
    if not data or _PLAIN.fullmatch(data):
        return f"'{data.decode('ascii')}'"
    return "$'" + "".join(_plain(byte) or f"\\{byte:03o}" for byte in data) + "'"


def _fish(text: str) -> str:
    """Fish: quoted runs, and between them bytes as hexadecimal numbers."""
    words = []
    for plain, run in _split(_bytes(text)):
        words.append(f"'{run.decode('ascii')}'" if plain else "".join(f"\\X{b:02x}" for b in run))
    return "".join(words) or "''"


def _powershell(text: str) -> str:
    """PowerShell: an expression in brackets, of quoted runs and UTF-16 numbers."""
    units = text.encode("utf-16-le", "surrogatepass")
    words = []
    run = ""
    for low, high in zip(units[::2], units[1::2], strict=True):
        letter = "" if high else _plain(low)
        if letter:
            run += letter
            continue
        words += [f"'{run}'"] * bool(run) + [f"[char]0x{high:02x}{low:02x}"]
        run = ""
    words += [f"'{run}'"] * bool(run)
    if not words or words[0][0] != "'":
        words.insert(0, "''")  # a text first, for the sum of two characters would be a number
    return f"({'+'.join(words)})"


def _plain(byte: int) -> str:
    single = bytes((byte,))
    return single.decode("ascii") if _PLAIN.fullmatch(single) else ""


def _split(data: bytes) -> list[tuple[bool, bytes]]:
    """The runs of plain and of other bytes, in order."""
    runs: list[tuple[bool, bytes]] = []
    end = 0
    for found in _PLAIN.finditer(data):
        if found.start() > end:
            runs.append((False, data[end : found.start()]))
        runs.append((True, found.group()))
        end = found.end()
    return [*runs, (False, data[end:])] if end < len(data) else runs


def _bytes(text: str) -> bytes:
    """As the file system has it: a name that is no valid text comes back as it was."""
    return os.fsencode(text)


_QUOTES: dict[Shell, Callable[[str], str]] = {
    "bash": _dollar_quote,
    "zsh": _dollar_quote,
    "fish": _fish,
    "powershell": _powershell,
}
