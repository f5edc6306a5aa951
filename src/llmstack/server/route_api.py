"""``/api/route``: what routing would choose for a request, and why; nothing is asked or loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.dialects import read
from llmstack.errors import BadRequest
from llmstack.server.asgi import read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.server.asgi import Scope
    from llmstack.server.chooser import Asker, Chooser

_CHAT = "/v1/chat/completions"


class RouteApi:
    """GET takes a message in ``text``; POST a request's body. ``path`` is where it would be sent.

    Headers count as they would there, and sessions are looked at but not changed. A model that the
    body names is passed over: the question is what ``auto`` would do. ``asker`` says who asks: a
    key that is not for a tier is told nothing of it, and nobody of another key's sessions.
    """

    def __init__(
        self, chooser: Chooser, auto_posts: frozenset[str], asker: Callable[[Scope], Asker]
    ) -> None:
        self._chooser = chooser
        self._paths = auto_posts
        self._asker = asker
        self.route = Route("/api/route", self._explain, methods=["GET", "POST"])

    async def _explain(self, request: Request) -> Response:
        """The tier that ``auto`` would choose for a request, the rules tried and the prices."""
        path = request.query_params.get("path", _CHAT)
        if path not in self._paths:
            raise BadRequest(
                "auto chooses for other routes", fix=f"Use one of: {', '.join(sorted(self._paths))}"
            )
        if request.method == "POST":
            body = await read_body(request.receive)
        else:
            text = request.query_params.get("text", "")
            if not text:
                raise BadRequest(
                    "nothing to route", fix="GET /api/route?text=..., or POST a request's body."
                )
            said = "prompt" if path.endswith("/completions") and path != _CHAT else "messages"
            if path == "/v1/responses":
                said = "input"
            message = text if said != "messages" else [{"role": "user", "content": text}]
            body = json.dumps({said: message}).encode()
        view = read(path, body)
        asker = self._asker(request.scope)
        return JSONResponse(self._chooser.explain(view, path, request.headers.raw, asker).report())
