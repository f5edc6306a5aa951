"""A llama-server command line and environment read into values.

Spellings are matched exactly, as llama-server does it: a parser that abbreviates or splits
clustered letters would read ``-ctxcp 8`` as ``-c txcp 8``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.llama_server.flag import FALSY, TRUTHY, Flag
from llmstack.llama_server.flags import FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Options that ask for an answer instead of a server.
QUESTIONS = {
    "--version": "version",
    "--list-devices": "list-devices",
    "-h": "help",
    "--help": "help",
    "--usage": "help",
}

#: Options that llama-server has removed, and what they are called now.
RENAMED = {
    "--draft": "--spec-draft-n-max",
    "--draft-n": "--spec-draft-n-max",
    "--draft-max": "--spec-draft-n-max",
    "--draft-min": "--spec-draft-n-min",
    "--draft-n-min": "--spec-draft-n-min",
}

#: Options that llama-server has replaced by --load-mode: the mode they mean, and the mode they
#: mean when the other mode was asked for before.
LOADING = {
    "--no-mmap": ("none", {"mmap+mlock": "mlock"}),
    "--mlock": ("mmap+mlock", {"none": "mlock"}),
    "--mmap": ("mmap", {}),
    "--direct-io": ("dio", {}),
    "-dio": ("dio", {}),
}

_POSITIVE: dict[str, Flag] = {name: flag for flag in FLAGS for name in flag.names}
_NEGATIVE: dict[str, Flag] = {name: flag for flag in FLAGS for name in flag.off}


@dataclass(slots=True)
class Arguments:
    """What a command line says.

    ``values`` maps an option's key (``ctx-size``) to its value; an option that nobody set is
    absent. ``question`` is ``version``, ``list-devices``, ``help`` or empty. ``notes`` are lines
    for the user about options that were ignored or translated.
    """

    values: dict[str, object] = field(default_factory=dict)
    question: str = ""
    notes: list[str] = field(default_factory=list)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Arguments:
    """Read ``argv`` (without the program's name) over llama-server's variables in ``environ``.

    Unknown options are noted with the values that follow them, and ignored.

    :raises LlmstackError: an option's value is missing or malformed.
    """
    arguments = Arguments(values=_from_environment(environ))
    environment = set(arguments.values)
    loading = ""
    rest = list(argv)
    while rest:
        name, *inline = _split(rest.pop(0))
        if inline:
            rest.insert(0, inline[0])
        if name in QUESTIONS:
            arguments.question = arguments.question or QUESTIONS[name]
        elif name in LOADING:
            mode, after = LOADING[name]
            loading = after.get(loading, mode)
            _set(arguments.values, _POSITIVE["--load-mode"], name, loading)
            arguments.notes.append(f"note: {name} is now --load-mode {loading}")
        elif name in _NEGATIVE:
            arguments.values[_NEGATIVE[name].key] = False
        elif name in _POSITIVE or name in RENAMED:
            if name in RENAMED:
                arguments.notes.append(f"note: {name} is now {RENAMED[name]}")
            flag = _POSITIVE[RENAMED.get(name, name)]
            if flag.key in environment:
                environment.discard(flag.key)
                del arguments.values[flag.key]
            _set(arguments.values, flag, name, _value(flag, name, rest))
        else:
            ignored = [name]
            while rest and not _looks_like_option(rest[0]):
                ignored.append(rest.pop(0))
            arguments.notes.append(f"ignored: {' '.join(ignored)}")
    return arguments


def _split(token: str) -> list[str]:
    """``--ctx_size`` as ``--ctx-size``; ``--port=80`` as its two halves."""
    if not token.startswith("--"):
        return [token]
    name, equals, value = token.partition("=")
    name = name.replace("_", "-")
    return [name, value] if equals else [name]


def _looks_like_option(token: str) -> bool:
    return len(token) > 1 and token[0] == "-" and not (token[1].isdigit() or token[1] == ".")


def _value(flag: Flag, name: str, rest: list[str]) -> str | None:
    """Take the option's value off ``rest``; ``None`` for a switch."""
    if flag.read is None:
        return None
    if flag.bare and (not rest or _looks_like_option(rest[0])):
        return "on"
    if not rest:
        raise LlmstackError(
            f"{name} needs a value", fix=f"write {name} {flag.metavar}; --help lists all options"
        )
    return rest.pop(0)


def _set(values: dict[str, object], flag: Flag, name: str, given: str | None) -> None:
    """Store what ``name`` was given.

    :raises LlmstackError: the value is malformed.
    """
    if given is None or flag.read is None:
        values[flag.key] = True
        return
    try:
        value = flag.read(given)
    except ValueError as error:
        raise LlmstackError(
            f"{name} has a wrong value", why=str(error), fix=f"write {name} {flag.metavar}"
        ) from None
    if flag.many and isinstance(value, tuple):
        before = values.get(flag.key, ())
        value = (*before, *value) if isinstance(before, tuple) else value
    values[flag.key] = value


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for flag in FLAGS:
        given = environ.get(flag.env) if flag.env else None
        if not given:
            continue
        if flag.read is not None:
            _set(values, flag, flag.env, given)
        elif given.lower() in TRUTHY:
            values[flag.key] = True
        elif given.lower() in FALSY:
            values[flag.key] = False
        else:
            raise LlmstackError(
                f"{flag.env} has a wrong value",
                why=f"expected on or off, got {given!r}",
                fix=f"set {flag.env} to on or off, or unset it",
            )
    return values
