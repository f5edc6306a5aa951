"""The endpoints of the activity log (behaviour report, section 3.11)."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from llmstack.activity import (
    CONTENT_TYPE,
    detect_hardware,
    metrics_text,
    parse_query,
    parse_rfc3339,
)
from llmstack.activity.export import CONTENT_TYPES, FORMATS, head, page, tail
from llmstack.activity.timeline import timeline
from llmstack.errors import BadRequest, RequestError
from llmstack.server.events_route import answer_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Future

    from starlette.requests import Request

    from llmstack.activity.export import Format
    from llmstack.server.activity import Activity

log = logging.getLogger(__name__)

#: Rows of an export that are read and written at once; other requests are served in between.
_PAGE: Final = 100
#: SQLite's largest integer.
_LARGEST: Final = (1 << 63) - 1

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
        Route("/api/metrics/activity/export", answers.export),
        Route("/api/metrics/activity/{id}", answers.row),
        Route("/api/metrics/stats", answers.stats),
        Route("/api/captures/{id}", answers.capture),
        Route("/api/inflight/{id}/cancel", answers.cancel, methods=["POST"]),
        Route("/api/performance", answers.performance),
        Route("/api/hardware", answers.hardware),
        Route("/api/events", answers.events),
        overview_route(activity),
        Route("/metrics", answers.metrics),
    ]


def overview_route(activity: Activity) -> Route:
    """``GET /api/overview``."""

    async def overview(_: Request) -> Response:
        """Models, memory, queue, speed, today's sums and spending, at a glance.

        Times are epoch seconds, memory is in bytes. ``today`` begins at local midnight, or later
        where nothing older is kept: see ``since``.
        """
        return JSONResponse(await activity.overviews.now())

    return Route("/api/overview", overview)


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

    async def row(self, request: Request) -> Response:
        """One finished request: its ``row``, its ``timeline``, how it was routed and fitted.

        ``decision`` is what ``/api/route`` answers, ``context`` the report of
        ``prompt-optimization/latest``, without the words they quote. They are known of the latest
        500 requests since the start; null where they are not or do not apply.
        """
        activity, number = self._activity, _number(request, "activity")
        activity.settle()
        found = await asked(activity.store.ask_rows([number]))
        if not found:
            raise NotKept("there is no such request in the activity log")
        has_capture = activity.captures.has(number)
        return JSONResponse(
            {
                "row": found[0].to_json(has_capture=has_capture),
                "timeline": timeline(found[0]),
                "decision": activity.details.decision(number),
                "context": activity.details.context(number),
                "has_capture": has_capture,
            }
        )

    async def export(self, request: Request) -> Response:
        """All rows that the filters leave, in their order, as a file: ``format`` is csv or json."""
        form = request.query_params.get("format") or "csv"
        if form not in FORMATS:
            raise BadRequest(f"format must be one of {', '.join(FORMATS)}")
        query = parse_query(request.query_params.multi_items())
        self._activity.settle()
        ids = await asked(self._activity.store.ask_ids(query))
        name = f"llmstack-activity-{time.strftime('%Y%m%d-%H%M%S')}.{form}"
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        kind = CONTENT_TYPES[form]
        return StreamingResponse(self._pieces(form, ids), headers=headers, media_type=kind)

    async def _pieces(self, form: Format, ids: Sequence[int]) -> AsyncIterator[bytes]:
        yield head(form)
        for at in range(0, len(ids), _PAGE):
            rows = await asked(self._activity.store.ask_rows(ids[at : at + _PAGE]))
            yield page(form, rows, first=not at)
        yield tail(form)

    async def stats(self, request: Request) -> Response:
        """Sums and speeds over all requests, or those to some models."""
        models = [name for name in request.query_params.getlist("model") if name]
        self._activity.settle()
        return JSONResponse(await asked(self._activity.store.ask_stats(models)))

    async def capture(self, request: Request) -> Response:
        """One request and its answer, whole."""
        number = _number(request, "capture")
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
        """The event stream; with ``?overview=1`` an event ``overview`` every second too."""
        return await answer_events(self._activity, request)

    async def metrics(self, _: Request) -> Response:
        """Prometheus metrics of the machine (unless that is disabled) and of every model."""
        activity = self._activity
        latest = activity.sampler.latest if activity.sampler else None
        spending = activity.spending()
        clients = activity.clients.families()
        text = metrics_text(latest, activity.metrics, activity.states(), spending, clients)
        return Response(text, headers={"content-type": CONTENT_TYPE})


def _number(request: Request, of: str) -> int:
    """The id in the path. Raises BadRequest for what is no number."""
    text = request.path_params["id"]
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20):
        raise BadRequest(f"invalid {of} ID")
    return max(min(int(text), _LARGEST), -_LARGEST)


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
