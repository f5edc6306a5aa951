"""The two small languages inside ``models.ini``: ``sampler`` and ``rope_scaling``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.config.numbers import (
    BadValueError,
    parse_decimal,
    parse_int,
    parse_tokens,
    shown,
)
from llmstack.config.stack import Rope, Sampler

if TYPE_CHECKING:
    from collections.abc import Callable

_SAMPLER_FORM = "Write it as in: temp=0.2 top_p=0.95 top_k=40 min_p=0.05 rep_pen=1.05"
_ROPE_FORM = (
    "Write yarn (scale=4, orig_ctx=32768), with type=<architecture> as a third item where the "
    "server caps the context at the trained length."
)

_ROPE = re.compile(r"(?P<method>[\w-]+)\s*\(\s*(?P<items>[^()]*?)\s*\)", re.ASCII)
_ITEM = re.compile(r"(?P<key>[A-Za-z_]\w*)=(?P<value>[^=\s]+)", re.ASCII)
_ARCH = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)

_SAMPLERS: dict[str, Callable[[str], float]] = {
    "temp": lambda text: parse_decimal(text, minimum=0, maximum=100),
    "top_p": lambda text: parse_decimal(text, minimum=0, maximum=1),
    "top_k": lambda text: parse_int(text, minimum=0),
    "min_p": lambda text: parse_decimal(text, minimum=0, maximum=1),
    "rep_pen": lambda text: parse_decimal(text, minimum=0, maximum=100),
}

#: The names a sampler may set.
SAMPLER_NAMES = tuple(_SAMPLERS)


def parse_sampler(text: str) -> tuple[Sampler, tuple[str, ...]]:
    """Read ``temp=0.2 top_p=0.95``: the sampler, and the names in it that nobody knows.

    Items are separated by blanks, commas or semicolons, in any order. A malformed item, an
    item given twice and a number out of range raise ``BadValueError``.
    """
    values: dict[str, float] = {}
    unknown: list[str] = []
    for key, value in _items(text, _SAMPLER_FORM):
        if key in values or key in unknown:
            raise BadValueError(f"{key} is given twice", "Keep one of them.")
        if key in _SAMPLERS:
            try:
                values[key] = _SAMPLERS[key](value)
            except BadValueError as error:
                raise BadValueError(f"{key} {error.what}", error.fix) from None
        else:
            unknown.append(key)
    top_k = values.get("top_k")
    sampler = Sampler(
        temp=values.get("temp"),
        top_p=values.get("top_p"),
        top_k=None if top_k is None else int(top_k),
        min_p=values.get("min_p"),
        rep_pen=values.get("rep_pen"),
    )
    return sampler, tuple(unknown)


def parse_rope(text: str) -> Rope:
    """Read ``yarn (scale=4, orig_ctx=32768)``; ``type=<architecture>`` may be a third item.

    The items may stand in any order. Anything else raises ``BadValueError``.
    """
    match = _ROPE.fullmatch(text.strip())
    if match is None:
        raise BadValueError(f"{shown(text)} is not a rope scaling", _ROPE_FORM)
    if match["method"].lower() != "yarn":
        raise BadValueError(f"{shown(match['method'])} is not supported, only yarn is", _ROPE_FORM)
    items: dict[str, str] = {}
    for key, value in _items(match["items"], _ROPE_FORM):
        if key not in ("scale", "orig_ctx", "type") or key in items:
            fault = "given twice" if key in items else "not known here"
            raise BadValueError(f"{shown(key)} is {fault}", _ROPE_FORM)
        items[key] = value
    if "scale" not in items or "orig_ctx" not in items:
        raise BadValueError("scale and orig_ctx are both needed", _ROPE_FORM)
    scale = parse_decimal(items["scale"], minimum=1, maximum=1024)
    orig_ctx = parse_tokens(items["orig_ctx"])
    if orig_ctx == 0:
        raise BadValueError("orig_ctx is 0", "Write the context length the model was trained with.")
    arch = items.get("type")
    if arch is not None and not _ARCH.fullmatch(arch):
        raise BadValueError(f"type {shown(arch)} is not the name of an architecture", _ROPE_FORM)
    return Rope(scale, orig_ctx, arch)


def _items(text: str, form: str) -> list[tuple[str, str]]:
    """``key=value`` items with keys in lower case; blanks around ``=`` are allowed."""
    items: list[tuple[str, str]] = []
    for part in re.split(r"[\s,;]+", re.sub(r"\s*=\s*", "=", text)):
        if not part:
            continue
        match = _ITEM.fullmatch(part)
        if match is None:
            raise BadValueError(f"{shown(part)} is not of the form name=number", form)
        items.append((match["key"].lower(), match["value"]))
    return items
