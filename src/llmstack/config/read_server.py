"""The keys that say how a model server is started, in ``[DEFAULT]`` or in a tier."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from llmstack.config.keys import is_secret
from llmstack.config.numbers import MAX_TOKENS, BadValueError, parse_bool, parse_int, shown
from llmstack.config.server_flags import RESERVED
from llmstack.config.stack import ServerOptions

if TYPE_CHECKING:
    from llmstack.config.fields import Fields

T = TypeVar("T")

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_server(fields: Fields, base: Path) -> ServerOptions:
    """The options of a section, with ``[DEFAULT]`` behind it; paths are relative to ``base``."""
    default = ServerOptions()
    return ServerOptions(
        n_gpu_layers=_or(fields.read("n_gpu_layers", _count), default.n_gpu_layers),
        flash_attn=fields.read("flash_attn", _flash) or default.flash_attn,
        jinja=_or(fields.read("jinja", parse_bool), default.jinja),
        threads=_or(fields.read("threads", _count), default.threads),
        cache_type_k=fields.choice("cache_type_k", CACHE_TYPES) or default.cache_type_k,
        cache_type_v=fields.choice("cache_type_v", CACHE_TYPES) or default.cache_type_v,
        parallel=fields.read("parallel", lambda text: parse_int(text, minimum=1, maximum=256)),
        mmproj=fields.read("mmproj", lambda text: _projector(text, base)),
        draft_path=fields.read("draft_path", lambda text: local_path(text, base)),
        extra_args=fields.read("extra_args", _arguments) or (),
        env=_environment(fields),
    )


def local_path(text: str, base: Path) -> str:
    """``text`` as a path, ``~`` expanded, relative to ``base``."""
    try:
        return str(base / Path(text).expanduser())
    except RuntimeError:
        raise BadValueError(
            f"the home folder in {shown(text)} is not known", "Write the whole path."
        ) from None


def _count(text: str) -> int:
    return parse_int(text, minimum=-1, maximum=MAX_TOKENS)


def _flash(text: str) -> str:
    if text.lower() == "auto":
        return "auto"
    try:
        return "on" if parse_bool(text) else "off"
    except BadValueError:
        raise BadValueError(f"{shown(text)} is not a choice", "Write on, off or auto.") from None


def _projector(text: str, base: Path) -> str:
    return "" if text.lower() in ("off", "none") else local_path(text, base)


def _arguments(text: str) -> tuple[str, ...]:
    """The words of a command line, without those that would undo what llmstack relies on."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadValueError(
            f"{shown(text)} cannot be split into words: {error}", "Close the quotation."
        ) from None
    for word in words:
        flag = word.partition("=")[0]
        if (instead := RESERVED.get(flag)) is not None:
            raise BadValueError(f"{flag} is set by llmstack", f"Write {instead} instead.")
        if is_secret(flag.lstrip("-")):
            raise BadValueError(
                f"{flag} holds a credential, and other machines may read this file",
                "Remove it; model servers listen on this machine only.",
            )
    return tuple(words)


def _environment(fields: Fields) -> tuple[tuple[str, str], ...]:
    """One ``NAME=value`` a line."""
    variables: dict[str, str] = {}
    for line in fields.lines("env"):
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or _VARIABLE.fullmatch(name) is None:
            fields.error(
                "env",
                f"{shown(line)} sets no variable",
                "Write NAME=value, further ones on indented lines below.",
            )
        elif name in variables:
            fields.error("env", f"{name} is set twice", "Keep one of them.")
        elif is_secret(name):
            fields.error(
                "env",
                f"{name} would hold a credential, and other machines may read this file",
                "Set it where you run 'llmstack start': model servers inherit that.",
            )
        else:
            variables[name] = value.strip()
    return tuple(variables.items())


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
