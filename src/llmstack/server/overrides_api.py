"""Everything that was set for models at run time, in one place: ``/api/overrides``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.server.context_control import ContextControl


class OverridesApi:
    """The routes; both are for admins. One model's are changed at ``/api/model/{model}/...``."""

    def __init__(self, control: ContextControl) -> None:
        self._control = control
        self.routes = [
            Route("/api/overrides", self._all, methods=["GET"]),
            Route("/api/overrides", self._reset, methods=["DELETE"]),
        ]

    async def _all(self, _: Request) -> Response:
        """What was set for models at run time, by model: only those for which something was.

        Models that are not configured any more are among them: they may come back. ``persisted``
        says whether it survives a restart. Routing's numbers are at ``/api/settings``.
        """
        overrides = self._control.overrides
        return JSONResponse({"models": overrides.told(), "persisted": overrides.path is not None})

    async def _reset(self, _: Request) -> Response:
        """Go by the configuration again for every model; processes do at their next start."""
        models = await self._control.reset_all()
        return JSONResponse({"msg": "overrides reset", "models": models})
