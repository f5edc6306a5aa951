"""Cursor, which cannot be wired."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from llmstack.wiring.endpoint import Endpoint, Place


def plan(endpoint: Endpoint, place: Place) -> NoReturn:  # noqa: ARG001 - the signature is given
    """Say why not."""
    raise LlmstackError(
        "Cursor cannot use models on this machine",
        why="It sends every request through its makers' servers, and those cannot reach localhost.",
        fix="Use another agent here, or give Cursor an address that the internet can reach, "
        "behind TLS and API keys.",
    )
