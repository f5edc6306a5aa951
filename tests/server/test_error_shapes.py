"""The object that an error is for each dialect."""

from __future__ import annotations

import pytest

from llmstack import errors
from llmstack.errors import RequestError, ShuttingDown
from llmstack.server.errors import error_body, error_object

CHAT = "/v1/chat/completions"


@pytest.mark.top40(17, "error object with src")
@pytest.mark.top40(17, "type and code of every status")
@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (errors.BadRequest, 400, "invalid_request_error", "bad_request"),
        (errors.Unauthorized, 401, "authentication_error", "unauthorized"),
        (errors.Forbidden, 403, "authentication_error", "forbidden"),
        (errors.ModelNotFound, 404, "invalid_request_error", "not_found"),
        (errors.Conflict, 409, "invalid_request_error", "conflict"),
        (errors.ConcurrencyLimit, 429, "rate_limit_error", "concurrency_limit"),
        (errors.StartFailed, 500, "server_error", "internal_error"),
        (errors.ModelUnloaded, 500, "server_error", "internal_error"),
        (errors.UpstreamUnreachable, 502, "server_error", "bad_gateway"),
        (errors.PeerUnreachable, 502, "server_error", "bad_gateway"),
        (errors.NothingAvailable, 503, "server_error", "service_unavailable"),
        (errors.ShuttingDown, 503, "server_error", "service_unavailable"),
    ],
)
def test_every_error_has_llama_swaps_object(
    error: type[RequestError], status: int, kind: str, code: str
) -> None:
    """The table of section 3.3 of the report."""
    assert error.status == status
    unspecific = error in (errors.StartFailed, errors.ModelUnloaded)
    message = "unspecific error: what" if unspecific else "what"
    assert error_object(error("what"), CHAT) == {
        "src": "llama-swap",
        "error": {"message": message, "type": kind, "param": None, "code": code},
    }


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
def test_every_status_has_a_type_in_both_shapes(status: int) -> None:
    error = RequestError("what", why="why", fix="fix")
    error.status = status
    assert b'"message":"what\\nwhy\\nfix"' in error_body(error, CHAT)
    for path in (CHAT, "/v1/messages", "/v1/messages/count_tokens"):
        assert b'_error"' in error_body(error, path)


def test_a_stack_that_stops_is_overloaded_in_anthropics_words() -> None:
    """Their clients try again on ``overloaded_error``."""
    assert b'"overloaded_error"' in error_body(ShuttingDown("stopping"), "/v1/messages")
