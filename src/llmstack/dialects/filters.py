r"""What a model's ``filters`` change in a request body (llama-swap's report, section 2.4.1).

Keys are paths as in llama-swap's gjson and sjson: ``a.b`` goes into objects, ``a.0`` into arrays,
``a.-1`` appends (stripping takes the last element), ``a\.b`` is one name with a dot, and ``a.:0``
a name that looks like an index. Whatever no path names stays byte for byte as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.edit import replace_model
from llmstack.dialects.layout import Item, Layout, cut
from llmstack.dialects.wire import decode_envelope, too_deep
from llmstack.errors import BadRequest, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Elements that setting an index beyond an array's end may add.
PADDING = 10_000

_NOTHING: Mapping[str, Any] = MappingProxyType({})
#: What gjson gives a meaning that is not supported here.
_SPECIAL = "|#@*?"


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a path: ``name``; ``index`` when it can mean an element, -1 for the end."""

    name: str
    index: int | None = None


@lru_cache(maxsize=1024)
def parse_path(path: str) -> tuple[Part, ...]:
    """The steps of a path.

    Raises:
        ValueError: it is empty, has one of gjson's other operators or ends within an escape.
    """
    if not path:
        raise ValueError("the path is empty")
    parts: list[Part] = []
    name: list[str] = []
    forced = False
    characters = iter(f"{path}.")
    for character in characters:
        if character == "\\":
            name.append(next(characters))
            if len(name) == 1 and name[0] == ":":
                forced = True  # an escaped colon is text
        elif character == ".":
            parts.append(_part("".join(name), forced=forced))
            name, forced = [], False
        elif character in _SPECIAL:
            raise ValueError(f"the path {path!r} has a {character!r}; write '\\{character}' for it")
        else:
            name.append(character)
    if name:
        raise ValueError(f"the path {path!r} ends within an escape")
    return tuple(parts)


def apply_filters(
    body: bytes,
    *,
    use_model_name: str = "",
    strip: Sequence[str] = (),
    set_params: Mapping[str, Any] = _NOTHING,
    set_by_id: Mapping[str, Any] = _NOTHING,
) -> bytes:
    """``body`` with the model renamed, parameters stripped and then set, in this order.

    ``set_by_id`` are the values for the name that the client used and win over ``set_params``. The
    top-level ``model`` is changed by ``use_model_name`` alone. Of a name that occurs twice in an
    object the last one counts, as for every parser; stripping takes all. Takes time linear in the
    body for each path that goes below the top level, and once for all others.

    Raises:
        BadRequest: ``body`` is no JSON object.
        RequestError: a path cannot be followed in this body.
    """
    if use_model_name:
        body = replace_model(body, use_model_name)
    if not (strip or set_params or set_by_id):
        return body
    try:
        return _applied(body, strip, (set_params, set_by_id))
    except RecursionError:
        raise too_deep() from None


def _applied(body: bytes, strip: Sequence[str], sets: tuple[Mapping[str, Any], ...]) -> bytes:
    top = _top(body)
    changed = False
    for path in sorted({path.strip() for path in strip} - {""}):
        parts = _steps(path, "stripping parameter {} from request")
        if parts[0].name != "model":
            changed = _strip(top, parts) or changed
    for values in sets:
        for path in sorted(values):
            parts = _steps(path, "setting parameter {} in request")
            if parts[0].name == "model":
                continue
            try:
                _set(top, parts, _encode(values[path]))
            except (ValueError, TypeError) as error:
                raise RequestError(
                    f"error setting parameter {path} in request", why=str(error)
                ) from None
            changed = True
    return top.render() if changed else body


def _part(name: str, *, forced: bool) -> Part:
    if forced:
        return Part(name)
    if name.startswith(":"):
        return Part(name[1:])
    if name == "-1":
        return Part(name, -1)
    return Part(name, int(name) if name.isascii() and name.isdigit() and len(name) < 10 else None)


def _steps(path: str, what: str) -> tuple[Part, ...]:
    try:
        return parse_path(path)
    except ValueError as error:
        raise RequestError(f"error {what.format(path)}", why=str(error)) from None


def _top(body: bytes) -> Layout:
    try:
        top = cut(body)
        if top.is_object:
            return top
    except ValueError:
        pass
    decode_envelope(body)  # says what is wrong with it
    raise BadRequest("The request body is not a JSON object")


def _find(layout: Layout, part: Part) -> Item | None:
    if layout.is_object:
        return next((i for i in reversed(layout.items) if i.key == part.name), None)
    if part.index is None or part.index >= len(layout.items) or not layout.items:
        return None
    return layout.items[part.index]


def _strip(layout: Layout, parts: tuple[Part, ...]) -> bool:
    """Take out what ``parts`` names; whether there was anything."""
    item = _find(layout, parts[0])
    if item is None:
        return False
    if len(parts) > 1:
        if not _is_container(item.value):
            return False
        inner = cut(item.value)
        if not _strip(inner, parts[1:]):
            return False
        item.value = inner.render()
    elif layout.is_object:
        layout.items = [other for other in layout.items if other.key != item.key]
    else:
        layout.items = [other for other in layout.items if other is not item]
    return True


def _set(layout: Layout, parts: tuple[Part, ...], value: bytes) -> None:
    part, rest = parts[0], parts[1:]
    append = not layout.is_object and part.index == -1
    item = None if append else _find(layout, part)
    if item is not None:
        if rest and _is_container(item.value):
            inner = cut(item.value)
            _set(inner, rest, value)
            item.value = inner.render()
        else:
            item.value = _built(rest, value)
        return
    if layout.is_object:
        key = _encode(part.name) + b":"
        layout.items.append(Item(key, part.name, _built(rest, value), b""))
        return
    if part.index is None:
        raise ValueError(f"cannot set array element for non-numeric key '{part.name}'")
    missing = 0 if append else part.index - len(layout.items)
    layout.items += (Item(b"", None, null, b"") for null in _nulls(missing))
    layout.items.append(Item(b"", None, _built(rest, value), b""))


def _built(parts: tuple[Part, ...], value: bytes) -> bytes:
    """``value`` inside of the objects and arrays that ``parts`` asks for."""
    for part in reversed(parts):
        if part.index is None:
            value = b"{%b:%b}" % (_encode(part.name), value)
        else:
            value = b"[%b]" % b",".join((*_nulls(part.index), value))
    return value


def _nulls(count: int) -> Sequence[bytes]:
    if count > PADDING:
        raise ValueError(f"the index is more than {PADDING} elements beyond the end")
    return (b"null",) * count


def _is_container(value: bytes) -> bool:
    return value.startswith((b"{", b"["))


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")
