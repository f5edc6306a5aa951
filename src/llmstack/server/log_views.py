"""What models print, over HTTP: ``/logs`` and ``/logs/stream``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route

from llmstack.errors import BadRequest, ModelNotFound

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.engine import Engine
    from llmstack.engine.logs import Log

_HEADERS = {"x-accel-buffering": "no", "x-content-type-options": "nosniff"}


class LogViews:
    """The past and the present output of all models or of one.

    ``proxy`` is the log of what the server itself says, None when nobody keeps one; ``shown`` what
    goes to standard output, by default the output of all models.
    """

    def __init__(self, engine: Engine, proxy: Log | None = None, shown: Log | None = None) -> None:
        self._engine = engine
        self._proxy = proxy
        self._shown = shown or engine.output
        self.routes = [
            Route("/logs", self._logs),
            Route("/logs/stream", self._stream),
            Route("/logs/stream/{model:path}", self._stream),
        ]

    async def _logs(self, request: Request) -> Response:
        """What was shown last; browsers are sent to the page that shows it."""
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/ui/", 302)
        return PlainTextResponse(self._shown.history(), headers=_HEADERS)

    async def _stream(self, request: Request) -> Response:
        """The output as it comes; ``?no-history`` leaves out the past."""
        name = request.path_params.get("model")
        if name is None:
            source = self._shown
        elif name == "upstream":
            source = self._engine.output
        elif name == "proxy" and self._proxy is not None:
            source = self._proxy
        else:
            try:
                source = self._engine.log(self._engine.resolve(name).id)
            except ModelNotFound:
                raise BadRequest(
                    "invalid logger. Use 'proxy', 'upstream' or a model's ID"
                ) from None
        if request.method == "HEAD":
            return PlainTextResponse(headers=_HEADERS)
        history = "no-history" not in request.query_params
        follow = source.follow(history=history)
        return StreamingResponse(follow, media_type="text/plain", headers=_HEADERS)
