"""The ladder of ``auto`` and its numbers: ``/api/ladder``, ``/api/settings``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.errors import BadRequest
from llmstack.server.asgi import read_body
from llmstack.server.ladder_report import ladder_report

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.server.ladders import Ladders
    from llmstack.server.routing_settings import RoutingSettings
    from llmstack.server.sessions import Sessions


class SettingsApi:
    """``/api/settings``; all routes are for admins."""

    def __init__(self, settings: RoutingSettings) -> None:
        self._settings = settings
        self.routes = [
            Route("/api/settings", self._all, methods=["GET"]),
            Route("/api/settings", self._reset_all, methods=["DELETE"]),
            Route("/api/settings/{key}", self._set, methods=["PUT"]),
            Route("/api/settings/{key}", self._reset, methods=["DELETE"]),
        ]

    async def _all(self, _: Request) -> Response:
        """The numbers and switches of routing: as configured, as set at run time, as they hold.

        Empty in ``llmstack swap``, which has no ``auto``. ``persisted`` says whether what is set
        survives a restart.
        """
        settings = self._settings
        return JSONResponse({"settings": settings.rows(), "persisted": settings.persisted})

    async def _set(self, request: Request) -> Response:
        """Set ``{"value": ...}``; it holds for the next request. Answers the setting."""
        try:
            told = msgspec.json.decode(await read_body(request.receive))
        except (ValueError, RecursionError):
            raise BadRequest("the body is not JSON") from None
        value = told.get("value") if isinstance(told, dict) else None
        key = request.path_params["key"]
        self._settings.row(key)  # says that there is none before it says that its value is wrong
        if value is None:
            raise BadRequest('the body must be {"value": ...}')
        return JSONResponse(await self._settings.put(key, value))

    async def _reset(self, request: Request) -> Response:
        """Go by the configuration again. Answers the setting."""
        return JSONResponse(await self._settings.put(request.path_params["key"], None))

    async def _reset_all(self, request: Request) -> Response:
        """Go by the configuration again in everything. Answers as ``GET``."""
        await self._settings.reset_all()
        return await self._all(request)


class LadderApi:
    """``/api/ladder`` of a stack; for admins."""

    def __init__(self, ladders: Ladders, sessions: Sessions) -> None:
        self._ladders = ladders
        self._sessions = sessions
        self.routes = [Route("/api/ladder", self._ladder)]

    async def _ladder(self, _: Request) -> Response:
        """Who plays which role of ``auto`` and up to what size, with the latest sessions' sizes.

        ``ceiling`` and ``window`` are in tokens, ``seen_s`` in seconds. A tier that cannot be asked
        now says ``why``, and ``stand_in`` who plays its role meanwhile.
        """
        return JSONResponse(ladder_report(self._ladders, self._sessions))
