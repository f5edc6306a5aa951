"""``GET /api/config/schema``: the JSON Schema of the configuration, for editors and checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


async def _schema(_: Request) -> Response:
    """The JSON Schema of the configuration, as the reader of this very release has it."""
    from llmstack.config.schema import schema_text

    return Response(schema_text(), media_type="application/schema+json")


SCHEMA = Route("/api/config/schema", _schema)
