"""``/api/keys``: the keys of a stack, for the web page and for ``llmstack keys``."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.config.access_key import MAX_RATE, parse_expiry, parse_rate
from llmstack.config.names import Disabled, Unknown
from llmstack.config.numbers import BadValueError
from llmstack.config.problems import nearest
from llmstack.errors import BadRequest, ConfigError, RequestError
from llmstack.server.activity_routes import asked
from llmstack.server.asgi import read_body
from llmstack.server.key_file import KeyRefused, NoSuchKey, add_key, revoke_key
from llmstack.server.key_row import key_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.activity.clients import ClientUse
    from llmstack.server.access import Access
    from llmstack.server.activity import Activity
    from llmstack.server.key_ring import KeyRing
    from llmstack.server.naming import Naming

_MEMBERS = frozenset({"name", "models", "admin", "expires", "rate"})


class KeyConflict(RequestError):
    """There is such a key already, or it cannot be changed from here."""

    status = 409
    code = "conflict"


class NoKey(RequestError):
    """There is no such key."""

    status = 404
    code = "not_found"


class KeyFileBroken(RequestError):
    """The key file cannot be read or written."""

    status = 500
    code = "internal_error"


def key_routes(access: Access, activity: Activity | None, naming: Naming) -> list[Route]:
    """Routes for admins; none where the keys are those of a llama-swap configuration."""
    if access.ring is None:
        return []
    answers = _Answers(access, access.ring, activity, naming)
    return [
        Route("/api/keys", answers.list, methods=["GET"]),
        Route("/api/keys", answers.add, methods=["POST"]),
        Route("/api/keys/{name}", answers.revoke, methods=["DELETE"]),
    ]


class _Answers:
    def __init__(
        self, access: Access, ring: KeyRing, activity: Activity | None, naming: Naming
    ) -> None:
        self._access = access
        self._ring = ring
        self._activity = activity
        self._naming = naming

    async def list(self, _: Request) -> Response:
        """The keys that clients may show, without the keys; the files are looked at first."""
        self._ring.refresh()
        used = await self._used()
        now = time.time()
        last = self._ring.last_used
        rows = [
            key_row(key, now, used.get(key.name), last.get(key.name, 0)) for key in self._ring.keys
        ]
        return JSONResponse({"required": self._ring.required, "keys": rows})

    async def add(self, request: Request) -> Response:
        """Make a key, which is shown this once."""
        self._access.admit_everything(request.scope)
        self._access.admit_own_page(request.scope)
        wanted = await _body(request)
        now = time.time()
        try:
            secret, key = await asyncio.to_thread(
                add_key,
                self._path,
                wanted["name"],
                now=now,
                models=self._models(wanted.get("models")),
                admin=_flag(wanted.get("admin")),
                expires=_expiry(wanted.get("expires"), now),
                rate=_rate(wanted.get("rate")),
            )
        except KeyRefused as error:
            kind = KeyConflict if "already" in error.what else BadRequest
            raise kind(error.what, why=error.why, fix=error.fix) from None
        except (ConfigError, OSError) as error:
            raise KeyFileBroken("the key file cannot be changed", why=str(error)) from error
        self._ring.refresh()
        return JSONResponse({"key": secret, **key_row(key, now)}, 201)

    async def revoke(self, request: Request) -> Response:
        """Take a key back. Its answers that are on their way may end."""
        self._access.admit_everything(request.scope)
        self._access.admit_own_page(request.scope)
        name = request.path_params["name"]
        self._ring.refresh()
        for key in self._ring.keys:
            if key.name == name and key.source != "file":
                raise KeyConflict(
                    f"the key {name!r} cannot be revoked from here",
                    fix=f"It stands in {_WHERE[key.source]}: take it out there.",
                )
        try:
            await asyncio.to_thread(revoke_key, self._path, name)
        except NoSuchKey as error:
            raise NoKey(error.what, fix=error.fix) from None
        except (ConfigError, OSError) as error:
            raise KeyFileBroken("the key file cannot be changed", why=str(error)) from error
        self._ring.refresh()
        return JSONResponse({"msg": f"the key {name!r} is revoked"})

    @property
    def _path(self) -> Path:
        return self._ring.path

    async def _used(self) -> dict[str, ClientUse]:
        if self._activity is None:
            return {}
        self._activity.settle()
        return await asked(self._activity.store.ask_clients())

    def _models(self, models: object) -> tuple[str, ...] | None:
        if models is None:
            return None
        if not isinstance(models, list) or not models:
            raise BadRequest("models is no list of names", fix="Leave it out for all models.")
        for name in models:
            if not isinstance(name, str):
                raise BadRequest("models is no list of names")
            if name != "auto" and isinstance(self._naming.find_any(name), Unknown | Disabled):
                known = ("auto", *self._naming.names.known())
                raise BadRequest(f"there is no model {name[:200]!r}", fix=nearest(name, known))
        return tuple(dict.fromkeys(models))


_WHERE = {"environment": "the variable API_KEYS", "config.json": "config.json"}


async def _body(request: Request) -> dict[str, Any]:
    try:
        wanted = msgspec.json.decode(await read_body(request.receive))
    except (ValueError, RecursionError):
        raise BadRequest("the request is no JSON") from None
    if not isinstance(wanted, dict) or not isinstance(wanted.get("name"), str):
        raise BadRequest("a key needs a name", fix='Send {"name": "laptop"}.')
    if unknown := next((name for name in wanted if name not in _MEMBERS), None):
        raise BadRequest(f"a key has no {unknown[:40]!r}", fix=nearest(unknown, _MEMBERS))
    return wanted


def _flag(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequest("admin is neither true nor false")


def _expiry(value: object, now: float) -> int | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRequest("expires is no text", fix="Write 90d, or a date such as 2030-01-31.")
    ends = _parsed(lambda: parse_expiry(value, now))
    if ends <= now:
        raise BadRequest(f"{value[:40]!r} is in the past")
    return ends


def _rate(value: object) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _parsed(lambda: parse_rate(value))
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_RATE:
        raise BadRequest("rate is no number of requests a minute")
    return value


def _parsed(parse: Callable[[], int]) -> int:
    try:
        return parse()
    except BadValueError as error:
        raise BadRequest(error.what, fix=error.fix) from None
