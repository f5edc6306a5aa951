"""The endpoints of the activity log (behaviour report, section 3.11)."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llmstack.activity import (
    CONTENT_TYPE,
    detect_hardware,
    metrics_text,
    parse_query,
    parse_rfc3339,
)
from llmstack.errors import BadRequest, RequestError
from llmstack.server.events_route import answer_events

if TYPE_CHECKING:
    from concurrent.futures import Future

    from starlette.requests import Request

    from llmstack.server.activity import Activity

log = logging.getLogger(__name__)

T = TypeVar("T")


class NotKept(RequestError):
    """What is asked for is not there, or not any more."""

    status = 404
    code = "not_found"


class Unavailable(RequestError):
    """This machine cannot tell."""

    status = 503
    code = "service_unavailable"


def activity_routes(activity: Activity) -> list[Route]:
    """Routes that raise ``RequestError`` for what is wrong."""
    answers = _Answers(activity)
    return [
        Route("/api/metrics/activity", answers.rows),
        Route("/api/metrics/stats", answers.stats),
        Route("/api/captures/{id}", answers.capture),
        Route("/api/inflight/{id}/cancel", answers.cancel, methods=["POST"]),
        Route("/api/performance", answers.performance),
        Route("/api/hardware", answers.hardware),
        Route("/api/events", answers.events),
        Route("/metrics", answers.metrics),
    ]


class _Answers:
    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._hardware: dict[str, Any] | None = None
        self._detecting = asyncio.Lock()

    async def rows(self, request: Request) -> Response:
        """A page of finished requests."""
        query = parse_query(request.query_params.multi_items())
        self._activity.settle()
        page = await asked(self._activity.store.ask(query))
        return JSONResponse(page.to_json(self._activity.captures.has))

    async def stats(self, request: Request) -> Response:
        """Sums and speeds over all requests, or those to some models."""
        models = [name for name in request.query_params.getlist("model") if name]
        self._activity.settle()
        return JSONResponse(await asked(self._activity.store.ask_stats(models)))

    async def capture(self, request: Request) -> Response:
        """One request and its answer, whole."""
        text = request.path_params["id"]
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20):
            raise BadRequest("invalid capture ID")
        number = int(text)
        self._activity.settle()
        found = await asyncio.to_thread(self._activity.captures.get, number)
        if found is None:
            raise NotKept("capture not found")
        return JSONResponse(found.to_json(number))

    async def cancel(self, request: Request) -> Response:
        """End a request that waits, loads or streams."""
        if not self._activity.inflight.cancel(request.path_params["id"]):
            raise NotKept("inflight request not found")
        return JSONResponse({"msg": "ok"})

    async def performance(self, request: Request) -> Response:
        """The samples of the last hour, or those after a moment."""
        sampler = self._activity.sampler
        if sampler is None:
            return JSONResponse({"enabled": False}, 503)
        text = request.query_params.get("after")
        after = None
        if text:
            after = parse_rfc3339(text.replace(" ", "+"))
            if after is None:
                raise BadRequest("invalid 'after' timestamp, use RFC3339 format")
        return JSONResponse(sampler.to_json(after))

    async def hardware(self, _: Request) -> Response:
        """What this machine is; looked up once."""
        async with self._detecting:
            if self._hardware is None:
                try:
                    self._hardware = await asyncio.to_thread(detect_hardware)
                except Exception as error:
                    log.exception("the hardware cannot be detected")
                    raise Unavailable("hardware detection unavailable") from error
        return JSONResponse(self._hardware)

    async def events(self, request: Request) -> Response:
        """The event stream."""
        return await answer_events(self._activity, request)

    async def metrics(self, _: Request) -> Response:
        """Prometheus metrics of the machine (unless that is disabled) and of every model."""
        activity = self._activity
        latest = activity.sampler.latest if activity.sampler else None
        spending = activity.spending()
        clients = activity.clients.families()
        text = metrics_text(latest, activity.metrics, activity.states(), spending, clients)
        return Response(text, headers={"content-type": CONTENT_TYPE})


async def asked(question: Future[T]) -> T:
    """The store's answer. Raises Unavailable when its file cannot be read."""
    try:
        return await asyncio.wrap_future(question)
    except (sqlite3.Error, RuntimeError) as error:
        raise Unavailable(
            "the activity store cannot be read",
            why=str(error),
            fix="Requests are still answered. Move its file away and restart, if it is broken.",
        ) from error
