"""An OpenAPI description of the engine's door, made from its table of routes.

Paths, methods and summaries come from the routes and their docstrings; what a function cannot tell
(statuses, content types, parameters) stands in ``ABOUT``. ``GET /api/openapi.json`` answers it.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmstack import __version__
from llmstack.activity.export import FORMATS
from llmstack.activity.query import LONGEST
from llmstack.config.context_settings import POLICIES, TRUNCATIONS
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.routing import Route

Json = dict[str, Any]

JSON, PLAIN, HTML = "application/json", "text/plain", "text/html"
STREAM = "text/event-stream"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")

_STRING: Json = {"type": "string"}
_MOMENT: Json = {"type": "string", "format": "date-time"}
_COUNT: Json = {"type": "integer", "minimum": 1}


@dataclass(frozen=True, slots=True)
class About:
    """What a route's function does not tell.

    ``answers`` are content types by status, with commas between several. ``body`` is the JSON
    schema of what is sent; ``query`` holds schemas by name. JSON of a status from 400 is an error
    object unless the status is one of ``unlike``.
    """

    answers: Mapping[int, str]
    query: Mapping[str, Json] | None = None
    body: Json | None = None
    unlike: frozenset[int] = frozenset()


_SHORT: Json = {"type": "string", "maxLength": LONGEST}
#: Filters, order and page of the activity log.
_ROWS: Json = {
    "model": {"type": "array", "items": _STRING},
    "start": _MOMENT,
    "end": _MOMENT,
    "min_id": _COUNT,
    "max_id": _COUNT,
    "client": _SHORT,
    "session": _SHORT,
    "tier": _SHORT,
    "status": {"type": "string", "pattern": "^(ok|error|[0-9]{1,3})$"},
    "search": _SHORT,
    "limit": {"type": "integer", "minimum": 1, "maximum": 999},
    "page": _COUNT,
    "sort": _STRING,
    "order": {"enum": ["asc", "desc"]},
}
_OK = About({200: JSON})
_OLLAMA_ERRORS = (400, 404, 413, 429, 500, 502, 503)
_OLLAMA = About(
    {200: f"{JSON}, application/x-ndjson"} | dict.fromkeys(_OLLAMA_ERRORS, JSON),
    body={
        "type": "object",
        "properties": {"model": _STRING, "stream": {"type": "boolean"}},
        "required": ["model"],
    },
    unlike=frozenset(_OLLAMA_ERRORS),
)
_APPLIED: Json = {"apply": {"enum": ["next_start", "restart"]}}


def _setting(**members: Json) -> Json:
    return {"type": "object", "properties": members}


#: Routes by their path as the table has it, with the method before it where methods differ. Others
#: answer JSON.
ABOUT = {
    "/health": About({200: PLAIN}),
    "/wol-health": About({200: PLAIN}),
    "/": About({302: ""}),
    "/favicon.ico": About({404: PLAIN}),
    "/upstream": About({302: ""}),
    "/unload": About({200: PLAIN}, {"force": _STRING}),
    "/api/models/unload": About({200: JSON}, {"force": _STRING}),
    "/api/models/unload/{model:path}": About({200: PLAIN, 404: JSON}, {"force": _STRING}),
    "/api/models/load/{model:path}": About(
        {200: f"{JSON}, {STREAM}", 404: JSON, 500: JSON, 503: JSON}
    ),
    "GET /api/model/{model:path}/ctxsize": About({200: JSON, 404: JSON}),
    "POST /api/model/{model:path}/ctxsize": About(
        dict.fromkeys((200, 400, 404, 409, 413, 500), JSON),
        _APPLIED,
        body=_setting(ctxSize=_COUNT),
    ),
    "DELETE /api/model/{model:path}/ctxsize": About(
        dict.fromkeys((200, 400, 404, 409, 500), JSON), _APPLIED
    ),
    "GET /api/model/{model:path}/fit": About({200: JSON, 404: JSON}),
    "POST /api/model/{model:path}/fit": About(
        dict.fromkeys((200, 400, 404, 409, 413, 500), JSON),
        _APPLIED,
        body=_setting(fit={"type": "boolean"}, mode={"enum": ["max", "min"]}),
    ),
    "DELETE /api/model/{model:path}/fit": About(
        dict.fromkeys((200, 400, 404, 409, 500), JSON), _APPLIED
    ),
    "GET /api/model/{model:path}/pin": About({200: JSON, 404: JSON}),
    "POST /api/model/{model:path}/pin": About(
        dict.fromkeys((200, 400, 404, 409, 413, 500), JSON),
        body=_setting(pinned={"type": "boolean"}),
    ),
    "DELETE /api/model/{model:path}/pin": About(dict.fromkeys((200, 400, 404, 409, 500), JSON)),
    "GET /api/model/{model:path}/prompt-optimization": About({200: JSON, 404: JSON}),
    "POST /api/model/{model:path}/prompt-optimization": About(
        dict.fromkeys((200, 400, 404, 413, 500), JSON),
        body=_setting(policy={"enum": list(POLICIES)}, truncationMode={"enum": list(TRUNCATIONS)}),
    ),
    "DELETE /api/model/{model:path}/prompt-optimization": About(
        dict.fromkeys((200, 404, 500), JSON)
    ),
    "/api/model/{model:path}/prompt-optimization/latest": About({200: JSON, 404: JSON}),
    "/api/config/reload": About(dict.fromkeys((200, 400, 409), JSON)),
    "DELETE /api/settings": About({200: JSON, 500: JSON}),
    "DELETE /api/overrides": About(dict.fromkeys((200, 400, 500), JSON)),
    "PUT /api/settings/{key}": About(
        dict.fromkeys((200, 400, 404, 413, 500), JSON),
        body=_setting(value={"type": ["integer", "number", "boolean"]}),
    ),
    "DELETE /api/settings/{key}": About(dict.fromkeys((200, 400, 404, 500), JSON)),
    "/api/restart": About({200: JSON, 400: JSON}),
    "/api/config/schema": About({200: "application/schema+json"}),
    "/api/show": _OLLAMA,
    "/api/chat": _OLLAMA,
    "/api/generate": _OLLAMA,
    "/api/embed": _OLLAMA,
    "/api/embeddings": _OLLAMA,
    "/api/profiles/active": About(
        {200: JSON, 400: JSON, 404: JSON, 413: JSON},
        body={
            "type": "object",
            "properties": {"name": {"type": ["string", "null"]}},
            "required": ["name"],
        },
    ),
    "/ui": About({200: HTML}),
    "/ui/{path:path}": About(
        {200: f"{HTML}, text/css, text/javascript, image/svg+xml", 304: "", 404: PLAIN}
    ),
    "/logs": About({200: PLAIN, 302: ""}),
    "/logs/stream": About({200: PLAIN}, {"no-history": _STRING}),
    "/logs/stream/{model:path}": About({200: PLAIN, 400: JSON}, {"no-history": _STRING}),
    "/api/metrics/activity": About({200: JSON, 400: JSON}, _ROWS),
    "/api/metrics/activity/export": About(
        {200: "text/csv, application/json", 400: JSON}, {**_ROWS, "format": {"enum": [*FORMATS]}}
    ),
    "/api/metrics/activity/{id}": About({200: JSON, 400: JSON, 404: JSON}),
    "/api/metrics/stats": About({200: JSON}, {"model": {"type": "array", "items": _STRING}}),
    "/api/captures/{id}": About({200: JSON, 400: JSON, 404: JSON}),
    "/api/inflight/{id}/cancel": About({200: JSON, 404: JSON}),
    "/api/performance": About(
        {200: JSON, 400: JSON, 503: JSON}, {"after": _MOMENT}, unlike=frozenset({503})
    ),
    "/api/hardware": About({200: JSON, 503: JSON}),
    "/api/events": About({200: STREAM}, {"overview": {"enum": ["1", "true"]}}),
    "/metrics": About({200: PLAIN}),
}

#: Errors of a request that a model is to answer; every other status is the model's own.
_MODEL_ERRORS = {
    400: "The body cannot be read.",
    404: "No model is named, or an unknown one.",
    413: "The body is too large.",
    429: "The model's concurrencyLimit is reached.",
    500: "The model did not start.",
    502: "The model's process or its peer cannot be reached.",
    503: "The model cannot be had now.",
}
_NAMED: Json = {
    "type": "object",
    "properties": {"model": _STRING, "stream": {"type": "boolean"}},
    "required": ["model"],
}
_ERROR: Json = {
    "type": "object",
    "properties": {
        "src": {"const": "llama-swap"},
        "error": {
            "type": "object",
            "properties": {"message": _STRING, "type": _STRING},
            "required": ["message", "type"],
        },
    },
    "required": ["src", "error"],
}
#: An error is also told as text or as a page to those who ask for that.
_ERROR_KINDS: Json = {
    JSON: {"schema": {"$ref": "#/components/schemas/Error"}},
    PLAIN: {},
    HTML: {},
}
_BODIES = (JSON, "application/x-www-form-urlencoded", "multipart/form-data")


def openapi(routes: Iterable[Route], open_routes: Iterable[Route] = ()) -> Json:
    """The description of ``routes`` and of the model routes. ``open_routes`` need no key."""
    keyless = {id(route) for route in open_routes}
    paths: dict[str, Json] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            about = ABOUT.get(route.path) or ABOUT.get(f"{method} {route.path}", _OK)
            paths.setdefault(path, {})[method.lower()] = _operation(
                route, path, about, keyed=id(route) not in keyless
            )
    for path in sorted(MODEL_POSTS):
        paths.setdefault(path, {})["post"] = _model_post()
    for path in sorted(MODEL_GETS):
        paths.setdefault(path, {})["get"] = _model_get()
    return {
        "openapi": "3.1.0",
        "info": {"title": "llmstack swap", "version": __version__},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": {"Error": _ERROR},
            "responses": {
                "Error": {"description": "An error.", "content": _ERROR_KINDS},
                "Answer": {"description": "The model's own answer.", "content": {"*/*": {}}},
                **{
                    f"Model{status}": {"description": why, "content": {"*/*": {}}}
                    for status, why in _MODEL_ERRORS.items()
                },
            },
            "requestBodies": {
                "Named": {
                    "required": True,
                    "content": {kind: {"schema": _NAMED} for kind in _BODIES},
                }
            },
        },
        # A key is needed only where the configuration has some.
        "security": [{}, {"bearer": []}, {"basic": []}, {"x-api-key": []}],
    }


def _operation(route: Route, path: str, about: About, *, keyed: bool) -> Json:
    summary = " ".join((inspect.getdoc(route.endpoint) or "").split())
    names = _PARAMETER.findall(path)
    answers = {
        str(status): _answer(status, kind, error=status not in about.unlike)
        for status, kind in about.answers.items()
    }
    if names:  # a name with a slash where there may be none, or one of dots, is another path
        answers["307"] = {"description": "The path without its detours."}
        answers["404"] = _reference("Error")
    if keyed:
        answers |= {str(status): _reference("Error") for status in (401, 403)}
    told: Json = {"summary": summary, "responses": answers}
    if not keyed:
        told["security"] = []
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _STRING} for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in (about.query or {}).items()
    ]
    if parameters:
        told["parameters"] = parameters
    if about.body:
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": about.body}}}
    return told


def _model_post() -> Json:
    return {
        "summary": "Answered by the model that the body names.",
        "requestBody": {"$ref": "#/components/requestBodies/Named"},
        "responses": _model_answers(),
    }


def _model_get() -> Json:
    return {
        "summary": "Answered by the model that the query names.",
        "parameters": [{"name": "model", "in": "query", "required": True, "schema": _STRING}],
        "responses": _model_answers(),
    }


def _model_answers() -> Json:
    answers = {"default": _reference("Answer")}
    answers |= {str(status): _reference(f"Model{status}") for status in _MODEL_ERRORS}
    return answers | {str(status): _reference("Error") for status in (401, 403)}


def _answer(status: int, kind: str, *, error: bool = True) -> Json:
    if not kind:
        return {"description": "Found."}
    if status >= 400 and kind == JSON and error:
        return _reference("Error")
    return {
        "description": "OK" if status < 400 else "Error.",
        "content": {each: {} for each in kind.split(", ")},
    }


def _reference(answer: str) -> Json:
    return {"$ref": f"#/components/responses/{answer}"}
