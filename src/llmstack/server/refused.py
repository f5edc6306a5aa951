"""What is kept of a request that never came to a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmstack.activity import ActivityRow, error_message
from llmstack.activity.failure import shortened
from llmstack.server.meter import LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.errors import RequestError
    from llmstack.server.asgi import Scope


def refused_row(
    scope: Scope, model: str, path: str, error: RequestError, metadata: Mapping[str, str]
) -> ActivityRow:
    """The row of a request for ``model`` that ended with ``error``."""
    return ActivityRow(
        model=model[:LONGEST],
        req_path=path,
        resp_status_code=error.status,
        timestamp=int(time.time()),
        error_msg=shortened(str(error)) or error_message(error.status, b""),
        metadata=metadata,
        client=scope.get("llmstack.client") or "",
        tier=scope.get("llmstack.tier") or "",
        reason=scope.get("llmstack.reason") or "",
        backend=scope.get("llmstack.backend") or "",
        instead_of=scope.get("llmstack.instead_of") or "",
    )
