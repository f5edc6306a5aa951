"""What was set at run time over a model's command line, and the command line with it. Pure.

Only the flags that an override names change; every other word stays as it is written, with its
quotes and line breaks. Rules: the prompt optimizer's behaviour report, section 2 and B21.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from llmstack.config.command import join_lines, strip_comments
from llmstack.config.command_words import Script, Word, server_words

if TYPE_CHECKING:
    from collections.abc import Sequence

FitMode = Literal["max", "min"]
Kind = Literal["ctx", "fit", "fit-ctx", "fit-target", "placement"]

#: MiB that fitting leaves free on a device where the command does not say.
FIT_TARGET: Final = 256

_FLAGS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("--ctx-size", "-c"), "ctx"),
    **dict.fromkeys(("--fit", "-fit"), "fit"),
    **dict.fromkeys(("--fit-ctx", "-fitc"), "fit-ctx"),
    **dict.fromkeys(("--fit-target", "-fitt"), "fit-target"),
    # Fitting leaves alone what the command places itself, so it would do nothing.
    **dict.fromkeys(("-ngl", "--gpu-layers", "--n-gpu-layers"), "placement"),
    **dict.fromkeys(("-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe"), "placement"),
    **dict.fromkeys(("-ts", "--tensor-split", "-ot", "--override-tensor"), "placement"),
}
_BARE: Final = frozenset({"-cmoe", "--cpu-moe"})
_ON: Final = frozenset({"on", "enabled", "true", "1"})
_OFF: Final = frozenset({"off", "disabled", "false", "0"})
_PLAIN = re.compile(r"[\w.${}]+")


@dataclass(frozen=True, slots=True)
class ContextOverride:
    """What was set at run time; None is not set.

    ``ctx_size`` is in tokens over all slots. ``mode`` says what that number is while ``fit`` is
    on: the context that is asked for, or the least that fitting may choose.
    """

    ctx_size: int | None = None
    fit: bool | None = None
    mode: FitMode = "max"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command line says; None where it says nothing."""

    ctx_size: int | None = None
    fit: bool | None = None
    mode: FitMode = "max"


@dataclass(frozen=True, slots=True)
class _Found:
    """A flag at words ``start`` up to, not including, ``end``."""

    kind: Kind
    start: int
    end: int
    value: str = ""


def read_command(cmd: str) -> CommandContext:
    """What ``cmd`` says. The last of several equal flags counts, as for llama-server."""
    try:
        script = _script(cmd)
    except ValueError:
        return CommandContext()
    said = {found.kind: found.value for found in _find(script.words)}
    fit = None
    if "fit" in said:
        fit = said["fit"].lower() not in _OFF
    ctx, least = _number(said.get("ctx", "")), _number(said.get("fit-ctx", ""))
    if least is not None and (fit or ctx is None):
        return CommandContext(least, fit, "min")
    return CommandContext(ctx, fit)


def overridden(cmd: str, override: ContextOverride) -> str:
    """``cmd`` with ``override``. One that sets nothing changes nothing.

    Raises:
        ValueError: nobody can tell where the flags of the server are; the message says why.
    """
    if override.ctx_size is None and override.fit is None:
        return cmd
    script = _script(cmd)
    if not script.known and not _settled(script, override):
        raise ValueError("it does not run llama-server in a way that is understood")
    return script.with_words(_edited(script, override))


def _script(cmd: str) -> Script:
    return server_words(join_lines(strip_comments(cmd)))


def _settled(script: Script, override: ContextOverride) -> bool:
    """Whether an unknown program shows by its own flags that it takes them."""
    if override.fit is not None:
        return False
    return any(word.text.partition("=")[0] == "--ctx-size" for word in script.words)


def _edited(script: Script, override: ContextOverride) -> list[Word]:
    found = _find(script.words)
    gone: set[Kind] = set()
    added: dict[Kind, tuple[str, ...]] = {}
    own = {one.kind: one.value for one in found}
    size = str(override.ctx_size) if override.ctx_size is not None else ""
    if override.fit is None or not override.fit:
        if size:
            gone.add("ctx")
            added["ctx"] = ("--ctx-size", size)
        if override.fit is False:
            gone |= {"fit", "fit-ctx", "fit-target"}
            added["fit"] = ("--fit", "off")  # left out it would mean on
    else:
        gone |= {"fit", "placement"}
        added["fit"] = ("--fit", "on")
        if override.mode == "min":
            gone |= {"ctx", "fit-ctx"}
            if least := size or own.get("fit-ctx", "") or own.get("ctx", ""):
                added["fit-ctx"] = ("--fit-ctx", least)
        else:
            gone.add("fit-ctx")
            if size or "ctx" not in own:
                gone.add("ctx")
                if asked := size or own.get("fit-ctx", ""):
                    added["ctx"] = ("--ctx-size", asked)
        if "fit-target" not in own:
            added["fit-target"] = ("--fit-target", str(FIT_TARGET))
    return _placed(script, found, gone, added)


def _placed(
    script: Script,
    found: Sequence[_Found],
    gone: set[Kind],
    added: dict[Kind, tuple[str, ...]],
) -> list[Word]:
    """New flags stand where the first of their kind stood, else where ``script`` has room."""
    words: list[Word] = []
    at = 0
    for one in found:
        if one.kind not in gone:
            continue
        words += script.words[at : one.start]
        first = script.words[one.start]
        new = _new(added.pop(one.kind, ()))
        words += [replace(word, gap=first.gap) if not i else word for i, word in enumerate(new)]
        at = one.end
    words += script.words[at:]
    rest = [word for flag in added.values() for word in _new(flag)]
    return [*rest, *words] if script.nested else [*words, *rest]


def _new(flag: tuple[str, ...]) -> list[Word]:
    return [Word(" ", part if _PLAIN.fullmatch(part) else shlex.quote(part), part) for part in flag]


def _find(words: Sequence[Word]) -> list[_Found]:
    found = []
    at = 0
    while at < len(words):
        one = _flag_at(words, at)
        if one is not None:
            found.append(one)
        at = one.end if one else at + 1
    return found


def _flag_at(words: Sequence[Word], at: int) -> _Found | None:
    text = words[at].text
    if not text.startswith("-"):
        return None
    name, equals, value = text.partition("=")
    if name.startswith("--"):
        name = name.replace("_", "-")
    kind = _FLAGS.get(name)
    if kind is None:
        return None
    if equals or name in _BARE:
        return _Found(kind, at, at + 1, value)
    follows = words[at + 1].text if at + 1 < len(words) else ""
    if kind == "fit" and follows.lower() not in _ON | _OFF | {"auto"}:
        return _Found(kind, at, at + 1, "on")
    if name == "-c" and not (_number(follows) is not None or follows.startswith("$")):
        return None  # the flag of another program, say of a shell
    return _Found(kind, at, min(at + 2, len(words)), follows)


def _number(text: str) -> int | None:
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 20 else None
