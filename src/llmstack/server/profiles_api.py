"""Profiles and the version: ``/api/profiles``, ``/api/version`` (behaviour report, 3.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.errors import BadRequest, ModelNotFound
from llmstack.server.asgi import read_body
from llmstack.server.ollama import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.engine import Engine
    from llmstack.server.naming import Naming


class ProfilesApi:
    """Shows and switches the active profile. ``changed`` is told of every switch."""

    def __init__(self, engine: Engine, naming: Naming, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._naming = naming
        self._changed = changed
        self.version = Route("/api/version", self._version)
        self.routes = [
            Route("/api/profiles", self._profiles),
            Route("/api/profiles/active", self._activate, methods=["PUT"]),
        ]

    async def _version(self, _: Request) -> Response:
        """Ollama's API release and, after the plus, ours; for clients of both."""
        about = {"version": VERSION, "commit": "unknown", "build_date": "unknown"}
        return JSONResponse(about)

    async def _profiles(self, _: Request) -> Response:
        """Every profile with its pins; a switched off name has an empty one."""
        profiles = sorted(self._engine.config.profiles.values(), key=lambda one: one.name)
        rows = [
            {
                "id": profile.name,
                "description": profile.description,
                "pins": {name: pin or "" for name, pin in sorted(profile.pins.items())},
            }
            for profile in profiles
        ]
        return JSONResponse({"active": self._naming.active, "profiles": rows})

    async def _activate(self, request: Request) -> Response:
        """Switch to ``{"name": ...}``, to none with null or an empty name."""
        try:
            wanted = msgspec.json.decode(await read_body(request.receive))
        except (ValueError, RecursionError):  # the first covers text that is not UTF-8
            raise BadRequest("invalid profile request") from None
        if not isinstance(wanted, dict):
            raise BadRequest("invalid profile request")
        if "name" not in wanted:
            raise BadRequest("profile name is required")
        name = wanted["name"]
        if name is not None and not isinstance(name, str):
            raise BadRequest("profile name must be a string or null")
        if name and name not in self._engine.config.profiles:
            raise ModelNotFound(f'profile "{name}" not found')
        self._naming.active = name
        self._changed()
        return JSONResponse({"active": self._naming.active})
