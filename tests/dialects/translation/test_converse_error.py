"""Each of Bedrock's errors has the status that a client can act on."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.dialects.translation.converse_error import (
    RETRY_AFTER,
    converse_failed,
    failed_error,
    failed_response,
)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ValidationException", 400),
        ("validationException", 400),
        ("AccessDeniedException", 403),
        ("ExpiredTokenException", 403),
        ("UnrecognizedClientException", 403),
        ("ResourceNotFoundException", 404),
        ("ThrottlingException", 429),
        ("throttlingException", 429),
        ("ServiceQuotaExceededException", 429),
        ("ModelErrorException", 502),
        ("modelStreamErrorException", 502),
        ("InternalServerException", 502),
        ("ServiceUnavailableException", 503),
        ("ModelNotReadyException", 503),
        ("ModelTimeoutException", 504),
    ],
)
def test_every_code_has_its_status(code: str, status: int) -> None:
    """§4.1: every exception was a 502."""
    failed = converse_failed(code, "why")
    assert (failed.status, failed.code) == (status, code)
    assert failed.retry_after == (RETRY_AFTER if status in (429, 503) else None)
    assert "why" in failed.message


@pytest.mark.parametrize(
    ("aws", "status"), [(400, 400), (401, 403), (408, 504), (413, 400), (418, 400), (424, 502)]
)
def test_a_code_that_nobody_knows_goes_by_its_status(aws: int, status: int) -> None:
    assert converse_failed("NewException", "?", status=aws).status == status


def test_a_model_that_is_not_there_is_404_and_a_prompt_too_long_says_so() -> None:
    missing = "The provided model identifier is invalid."
    assert converse_failed("ValidationException", missing).status == 404
    long = converse_failed("ValidationException", "Input is too long for requested model.")
    assert (long.status, long.code) == (400, "context_length_exceeded")
    assert converse_failed("ThrottlingException", "Too many tokens").code == "ThrottlingException"


def test_the_time_to_wait_is_bedrocks_own_where_it_says_one() -> None:
    def response(after: str) -> dict[str, Any]:
        return {
            "Error": {"Code": "ThrottlingException", "Message": "slow down"},
            "ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": {"Retry-After": after}},
        }

    assert failed_response(response("17")).retry_after == 17
    assert failed_response(response("inf")).retry_after == RETRY_AFTER


def test_the_number_of_the_aws_account_is_not_told() -> None:
    said = "User: arn:aws:iam::123456789012:user/me is not authorized"
    failed = converse_failed("AccessDeniedException", said)
    assert "123456789012" not in failed.message
    assert "user/me is not authorized" in failed.message


class ConnectTimeoutError(Exception):
    """Named as botocore's is."""


class SSOError(Exception):
    """Named as botocore's is."""


class UnauthorizedSSOTokenError(SSOError):
    """Named as botocore's is."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectTimeoutError("no"), 504),
        (TimeoutError(), 504),
        (UnauthorizedSSOTokenError("old"), 503),
        (OSError("reset"), 502),
        (ValueError(), 502),
    ],
)
def test_what_fails_without_an_answer_has_a_status_too(error: Exception, status: int) -> None:
    """§4.1: profile and region errors were unhandled 500s."""
    failed = failed_error(error)
    assert failed.status == status
    assert failed.message.strip(" :") != "Bedrock"


def test_botocores_own_exceptions_are_known() -> None:
    exceptions = pytest.importorskip("botocore.exceptions")
    stream = exceptions.EventStreamError(
        {"Error": {"Code": "modelStreamErrorException", "Message": "x"}}, "ConverseStream"
    )
    assert failed_error(stream).status == 502
    assert failed_error(exceptions.NoCredentialsError()).status == 503
    assert failed_error(exceptions.ProfileNotFound(profile="p")).status == 503
    timeout = exceptions.ReadTimeoutError(endpoint_url="https://example.org")
    assert failed_error(timeout).status == 504
    assert failed_error(exceptions.ParamValidationError(report="bad")).status == 400


def test_what_went_wrong_and_what_to_do_are_two_sentences() -> None:
    class NoCredentialsError(Exception):
        pass

    told = failed_error(NoCredentialsError("Unable to locate credentials")).message
    assert told.startswith("Bedrock: Unable to locate credentials. Give the tier")
    assert failed_error(TimeoutError()).message == "Bedrock: It did not answer in time."
    told = converse_failed("ExpiredTokenException", "The token has expired.").message
    assert told.startswith("Bedrock: The token has expired. Log in again")
