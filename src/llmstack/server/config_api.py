"""Where the configuration is, reading it again, and a restart of all models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.errors import BadRequest, Conflict, LlmstackError, RequestError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.server.context_control import ContextControl


class ConfigApi:
    """``/api/config/...`` and ``/api/restart``; all are for admins."""

    def __init__(self, control: ContextControl) -> None:
        self._control = control
        self.routes = [
            Route("/api/config/path", self._path, methods=["GET"]),
            Route("/api/config/reload", self._reload, methods=["POST"]),
            Route("/api/restart", self._restart, methods=["POST"]),
        ]

    async def _path(self, _: Request) -> Response:
        """The file, or directory, that the configuration was read from: ``{"configPath": ...}``."""
        return JSONResponse({"configPath": self._control.path})

    async def _reload(self, _: Request) -> Response:
        """Read the configuration again and go by it; models that it does not change run on.

        400 with all problems if it cannot be used: the old one then stays in force. 409 where only
        a restart reads it.
        """
        if self._control.reload is None:
            raise Conflict(
                "this configuration is read when the daemon starts",
                fix="llmstack restart",
            )
        await self._again()
        detail = "models whose command did not change run on"
        return JSONResponse({"msg": "configuration reloaded", "detail": detail})

    async def _restart(self, _: Request) -> Response:
        """Read the configuration again where that is possible, then stop every model.

        Running answers end first. What is to be preloaded is loaded again, other models when they
        are next asked for. What was set at run time stays; ``DELETE`` resets it.
        """
        control = self._control
        if control.reload is not None:
            await self._again()
        control.begin(control.soft_restart())
        detail = "models stop after their running answers and start anew"
        return JSONResponse({"msg": "restarting the models", "detail": detail})

    async def _again(self) -> None:
        assert self._control.reload is not None
        try:
            await self._control.reload()
        except RequestError:
            raise
        except LlmstackError as error:
            raise BadRequest(
                "configuration not reloaded, the old one stays in force",
                why=f"{error.what}\n{error.why}".strip(),
                fix=error.fix,
            ) from error
