"""Readers of what the managers read, written after their manuals and not after our writers."""

from __future__ import annotations

_SH = ["/bin/sh", "-c", 'exec "$0" "$@"']


def unquoted(text: str) -> list[str]:
    """Words of a setting, by the section "Quoting" of systemd.syntax(7)."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            word = word or []
            escaped = next(letters)
            assert escaped in "\\\"'", f"\\{escaped} would mean something else"
            word.append(escaped)
        elif quote:
            if letter == quote:
                quote = ""
            else:
                assert word is not None
                word.append(letter)
        elif letter in "\"'":
            quote, word = letter, word or []
        elif letter in " \t":
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word or []
            word.append(letter)
    assert not quote
    return [*words, "".join(word)] if word is not None else words


def specifiers(text: str) -> str:
    """``%%`` is a percent sign, and no other specifier may be there: systemd.unit(5)."""
    assert "%" not in text.replace("%%", "")
    return text.replace("%%", "%")


def settings_of(unit: str, name: str) -> list[str]:
    """The words of every line of the setting ``name``."""
    lines = [line for line in unit.split("\n") if line.startswith(f"{name}=")]
    return [specifiers(word) for line in lines for word in unquoted(line.removeprefix(f"{name}="))]


def exec_start(unit: str) -> list[str]:
    """The command that is run. ``:`` in front keeps ``$`` as it is: systemd.service(5)."""
    words = settings_of(unit, "ExecStart")
    assert words[0].startswith(":")
    words[0] = words[0][1:]
    assert not set(words[0]) & set("\"'\\"), "systemd has no such program"
    return words[3:] if words[:3] == _SH else words


def windows_words(line: str) -> list[str]:
    """The arguments of a command line, by "Parsing C Command-Line Arguments" of Microsoft."""
    words: list[str] = []
    word: list[str] | None = None
    inside, at = False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        if slashes:
            at += slashes
            word = word or []
            if line[at : at + 1] == '"':
                word.append("\\" * (slashes // 2))
                if slashes % 2:
                    word.append('"')
                    at += 1
            else:
                word.append("\\" * slashes)
            continue
        letter = line[at]
        at += 1
        if letter == '"':
            inside, word = not inside, word or []
        elif letter in " \t" and not inside:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word or []
            word.append(letter)
    return [*words, "".join(word)] if word is not None else words
