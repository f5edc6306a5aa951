"""What went wrong at Bedrock, as the end of an answer.

Codes are those of the Converse API's reference ("Errors") and of AWS's common errors. botocore is
not imported: its exceptions are known by name, so that this works without the extra.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from llmstack.dialects.translation.reply import Failed
from llmstack.dialects.translation.tolerant import an_object

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds after which to try again when Bedrock does not say: its quotas are per minute.
RETRY_AFTER: Final = 5.0

_LOGIN = "Log in again (aws sso login) or renew the keys of the tier's AWS profile."
# In lower case: a stream's events write the same names with a small first letter.
_STATUSES: Final[dict[str, int]] = {
    "validationexception": 400,
    "validationerror": 400,
    "serializationexception": 400,
    "requestentitytoolargeexception": 400,
    "accessdeniedexception": 403,
    "accessdenied": 403,
    "unrecognizedclientexception": 403,
    "invalidclienttokenid": 403,
    "invalidsignatureexception": 403,
    "signaturedoesnotmatch": 403,
    "incompletesignature": 403,
    "missingauthenticationtokenexception": 403,
    "missingauthenticationtoken": 403,
    "notauthorized": 403,
    "optinrequired": 403,
    "expiredtoken": 403,
    "expiredtokenexception": 403,
    "requestexpired": 403,
    "resourcenotfoundexception": 404,
    "resourcenotfound": 404,
    "throttlingexception": 429,
    "throttling": 429,
    "throttledexception": 429,
    "toomanyrequestsexception": 429,
    "requestlimitexceeded": 429,
    "servicequotaexceededexception": 429,
    "modelnotreadyexception": 503,
    "serviceunavailableexception": 503,
    "serviceunavailable": 503,
    "modeltimeoutexception": 504,
    "requesttimeout": 504,
    "requesttimeoutexception": 504,
    "internalserverexception": 502,
    "internalfailure": 502,
    "internalservererror": 502,
    "modelerrorexception": 502,
    "modelstreamerrorexception": 502,
}
# AWS's statuses that mean something else to a client of ours.
_OTHER_STATUSES: Final[dict[int, int]] = {401: 403, 408: 504, 413: 400, 424: 502, 500: 502}
_KEYS: Final = frozenset(
    code
    for code, status in _STATUSES.items()
    if status == 403 and not code.startswith(("access", "notauth", "optin"))
)
#: botocore's exceptions that no answer came with; bases after what derives from them.
_TROUBLES: Final[dict[str, tuple[int, str]]] = {
    "ParamValidationError": (400, ""),
    "ReadTimeoutError": (504, ""),
    "ConnectTimeoutError": (504, ""),
    "TimeoutError": (504, "It did not answer in time."),
    "NoCredentialsError": (503, "Give the tier an aws_profile that has credentials."),
    "NoAuthTokenError": (503, _LOGIN),
    "PartialCredentialsError": (503, _LOGIN),
    "CredentialRetrievalError": (503, _LOGIN),
    "TokenRetrievalError": (503, _LOGIN),
    "SSOError": (503, _LOGIN),
    "LoginError": (503, _LOGIN),
    "ProfileNotFound": (503, "Name a profile of ~/.aws/config as the tier's aws_profile."),
    "NoRegionError": (503, "Set the tier's aws_region."),
    "InvalidRegionError": (503, "Set the tier's aws_region."),
}
_UNKNOWN_MODEL = re.compile(r"model identifier is invalid|model.{0,40}not (found|exist)", re.I)
_TOO_LONG = re.compile(r"input is too long|too many (input )?tokens|context (window|length)", re.I)
_ACCOUNT = re.compile(r"(?<=:)\d{12}(?=:)")


def converse_failed(
    code: str, message: str, *, status: int | None = None, retry_after: float | None = None
) -> Failed:
    """The failure that AWS calls ``code``; ``status`` is AWS's and decides for unknown codes."""
    known = code.lower()
    mapped = _STATUSES.get(known)
    if mapped is None:
        mapped = _OTHER_STATUSES.get(status or 502, status or 502)
        if mapped not in (400, 403, 404, 429, 502, 503, 504):
            mapped = 400 if 400 <= mapped < 500 else 502
    # The request's fault, unless the quota is: Bedrock says "too many tokens" of both.
    if mapped == 400 and _UNKNOWN_MODEL.search(message):
        mapped = 404
    wire = "context_length_exceeded" if mapped == 400 and _TOO_LONG.search(message) else code
    if mapped not in (429, 503):
        retry_after = None
    elif retry_after is None:
        retry_after = RETRY_AFTER
    # Who has the key of the gateway need not learn whose AWS account it is.
    said = _ACCOUNT.sub("************", message.strip()) or "no reason given"
    advice = _LOGIN if known in _KEYS else ""
    return Failed(mapped, f"Bedrock: {_advised(said, advice)}", wire, retry_after)


def failed_response(response: Mapping[str, Any]) -> Failed:
    """The failure that a botocore ``ClientError`` (or ``EventStreamError``) holds."""
    error = an_object(response.get("Error"))
    metadata = an_object(response.get("ResponseMetadata"))
    headers = {str(k).lower(): v for k, v in an_object(metadata.get("HTTPHeaders")).items()}
    status = metadata.get("HTTPStatusCode")
    return converse_failed(
        str(error.get("Code") or ""),
        str(error.get("Message") or ""),
        status=status if isinstance(status, int) else None,
        retry_after=_seconds(headers.get("retry-after")),
    )


def failed_error(error: BaseException) -> Failed:
    """The failure that ``error`` is; any exception of a call to Bedrock."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return failed_response(response)
    said = _ACCOUNT.sub("************", str(error).strip())
    code = type(error).__name__
    for kind in type(error).__mro__:
        if kind.__name__ in _TROUBLES:
            status, advice = _TROUBLES[kind.__name__]
            return Failed(status, f"Bedrock: {_advised(said, advice) or code}", code)
    return Failed(502, f"Bedrock: {said or code}", code)


def _advised(said: str, advice: str) -> str:
    """What went wrong and what to do, as two sentences; either may be empty."""
    if not (said and advice):
        return said or advice
    return f"{said} {advice}" if said.endswith((".", "!", "?")) else f"{said}. {advice}"


def no_account(error: BaseException) -> bool:
    """Whether nothing was sent, for want of a profile, a region or credentials."""
    names = (kind.__name__ for kind in type(error).__mro__)
    return any(_TROUBLES.get(name, (0, ""))[0] == 503 for name in names)


def bad_credentials(failed: Failed) -> bool:
    """Whether AWS refused the credentials themselves, and not just this use of them."""
    return failed.code.lower() in _KEYS


def _seconds(value: object) -> float | None:
    """``Retry-After`` in seconds; its form with a date is not used by AWS."""
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
