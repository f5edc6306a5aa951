"""What a client asks beside chat, as values: how a request looks and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from llmstack.errors import BadAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request below the root URL, and the reader of a 2xx answer's body."""

    method: str
    path: str
    read: Callable[[bytes], T]
    body: Mapping[str, Any] | None = None


class Send(Protocol):
    """Makes a call; ``timeout`` is in seconds, None waits as long as it takes."""

    def __call__(self, call: Call[T], timeout: float | None) -> T:
        """What the answer was read as."""


class SendAsync(Protocol):
    """As ``Send``."""

    async def __call__(self, call: Call[T], timeout: float | None) -> T:
        """What the answer was read as."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A name that can be asked for. ``data`` is all that the server says of it."""

    id: str
    data: Mapping[str, Any] = field(repr=False)


def list_models() -> Call[list[ListedModel]]:
    """``GET /v1/models``."""
    return Call("GET", "/v1/models", _models)


def running() -> Call[Any]:
    """``GET /running``, as it is: its shape is llama-swap's and may change."""
    return Call("GET", "/running", read_json)


def load(model: str) -> Call[None]:
    """Load a model."""
    return Call("POST", f"/api/models/load/{_as_path(model)}", _nothing)


def unload(model: str | None) -> Call[None]:
    """Unload one model, or all of them with None."""
    path = "/api/models/unload"
    return Call("POST", path if model is None else f"{path}/{_as_path(model)}", _nothing)


def route(asked: str | Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> Call[Any]:
    """``POST /api/route`` with a user's text or with messages, and more of a request's body."""
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else list(asked)
    return Call("POST", "/api/route", read_json, {"messages": messages, **more})


def read_json(content: bytes) -> Any:
    """The decoded body.

    Raises:
        BadAnswer: it is no JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("the server did not answer with JSON", why=str(error)) from error


def _models(content: bytes) -> list[ListedModel]:
    told = read_json(content)
    rows = told.get("data") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows
    ):
        raise BadAnswer("the server did not answer with a list of models")
    return [ListedModel(row["id"], row) for row in rows]


def _nothing(_: bytes) -> None:
    """The status says it all: the body is JSON, ``OK`` or empty."""


def _as_path(model: str) -> str:
    """Slashes separate, everything else is data; dots alone would walk up the path."""
    if not model.strip("/"):
        raise ValueError("the model has no name")  # as a path it would mean every model
    return "/".join(
        part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")
        for part in model.split("/")
    )
