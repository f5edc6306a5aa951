"""Every error a user can meet: what happened, why, and what to do about it.

``LlmstackError`` is the root. The command line prints its three parts; the server turns the
request-time branch (``RequestError``) into an HTTP answer with ``status`` and ``code``.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.problems import Problem


class LlmstackError(Exception):
    """An error with its cause and its remedy.

    ``what`` is one sentence without a trailing period's worth of detail; ``why`` and ``fix`` may
    be empty. ``str()`` joins the parts that are there, one per line.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.fix) if part)


class ConfigError(LlmstackError):
    """One or more configuration files are wrong. ``problems`` holds all of them at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = sum(problem.severity == "error" for problem in self.problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''} in the configuration",
            why="\n".join(str(problem) for problem in self.problems),
        )


class EngineMissing(LlmstackError):
    """No llama-server can be found or run on this machine."""


class DownloadError(LlmstackError):
    """A model could not be fetched, or what was fetched is not what was asked for."""


class DaemonError(LlmstackError):
    """The daemon could not be started, found or stopped."""


class RequestError(LlmstackError):
    """A request cannot be served. ``status`` is the HTTP status, ``code`` the wire code."""

    status = 500
    code = "internal_error"
    #: The same in a stack's own words, where llama-swap's are not told apart; None for no others.
    own: tuple[int, str] | None = None
    #: Seconds after which a client may try again; sent as ``Retry-After`` when set.
    retry_after: int | None = None


class BadRequest(RequestError):
    """The request itself is malformed."""

    status = 400
    code = "bad_request"


class ContextOverflow(RequestError):
    """The prompt is longer than the model's window has room for; all numbers are tokens.

    ``n_ctx`` is the window, of which ``maximum`` is for the prompt. The words are those by which
    agents know that they have to compact their history.
    """

    status = 400
    code = "context_length_exceeded"

    def __init__(self, n_prompt_tokens: int, maximum: int, n_ctx: int) -> None:
        super().__init__(
            f"This model's maximum context length is {n_ctx} tokens. However, your messages"
            f" resulted in {n_prompt_tokens} tokens, which exceeds the context window:"
            f" {maximum} of it are for the prompt.",
            fix="Compact the conversation, or start a new one.",
        )
        self.n_prompt_tokens = n_prompt_tokens
        self.maximum = maximum
        self.n_ctx = n_ctx


class BodyTooLarge(RequestError):
    """The request body is larger than anybody may send."""

    status = 413
    code = "request_too_large"


class ModelNotFound(RequestError):
    """The request names a model that nothing here serves, or names none."""

    status = 404
    code = "not_found"


class ConcurrencyLimit(RequestError):
    """The model already has as many requests as its ``concurrencyLimit`` admits."""

    status = 429
    code = "concurrency_limit"
    retry_after = 1


class QueueTimeout(RequestError):
    """The request waited for its model for longer than ``queueTimeout``."""

    status = 503
    code = "service_unavailable"
    retry_after = 10


class StartFailed(RequestError):
    """The model's process did not become ready."""

    status = 500
    code = "internal_error"
    own = (503, "service_unavailable")


class StartTimedOut(StartFailed):
    """It did not become ready in time."""

    own = (504, "gateway_timeout")


class NoRoom(RequestError):
    """The model does not fit into memory, whatever is unloaded for it."""

    status = 503
    code = "service_unavailable"


class ModelUnloaded(RequestError):
    """The model was unloaded by request while this request waited for it."""

    status = 500
    code = "internal_error"
    own = (503, "service_unavailable")


class ShuttingDown(RequestError):
    """The engine is stopping and takes no more requests."""

    status = 503
    code = "service_unavailable"
    retry_after = 5


class UpstreamUnreachable(RequestError):
    """A ready model process did not take the connection or broke it before the first byte."""

    status = 502
    code = "bad_gateway"


class Unauthorized(RequestError):
    """The client showed no API key, or one that is not known."""

    status = 401
    code = "unauthorized"


class Forbidden(RequestError):
    """The client's API key does not cover what it asks for."""

    status = 403
    code = "forbidden"


class RateLimited(RequestError):
    """The client's API key has made its requests of this minute; more in ``wait`` seconds."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, name: str, rate: int, wait: float) -> None:
        super().__init__(
            f"the API key {name!r} may make {rate} requests a minute",
            fix="Wait as long as Retry-After says.",
        )
        self.retry_after = max(1, ceil(wait))


class Conflict(RequestError):
    """What is asked for needs a model that is not loaded, and may not load it."""

    status = 409
    code = "conflict"


class NothingAvailable(RequestError):
    """A selector has no target that could take the request now."""

    status = 503
    code = "service_unavailable"


class PeerUnreachable(RequestError):
    """Another server that was to answer did not."""

    status = 502
    code = "bad_gateway"


class BackendFailed(RequestError):
    """A model that others host did not answer, or refused to.

    ``status``, ``code`` and ``retry_after`` are those of this one failure. ``elsewhere`` says
    whether another tier may well answer what this one did not.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int = 502,
        code: str = "bad_gateway",
        retry_after: float | None = None,
        elsewhere: bool = False,
        why: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.status = status
        self.code = code
        self.retry_after = None if retry_after is None else max(0, ceil(retry_after))
        self.elsewhere = elsewhere


class BudgetSpent(RequestError):
    """A tier has cost what its budget allows; ``retry_in`` seconds later the budget starts anew."""

    status = 429
    code = "budget_exceeded"

    def __init__(self, tier: str, budget: str, limit: float, spent: float, retry_in: float) -> None:
        super().__init__(
            f"{tier} is over its {budget}: ${spent:.4f} of ${limit:g} spent",
            fix=f"Ask another tier, wait until the budget starts anew, or raise {budget}.",
        )
        self.retry_after = max(1, ceil(retry_in))


class ClientNotConfigured(LlmstackError):
    """The Python client does not know where its server is, or what it was told is no address."""


class ExtraMissing(LlmstackError):
    """An optional part of llmstack is not installed; ``fix`` names it."""


class BadAnswer(LlmstackError):
    """A server answered the Python client with success, but not with what was asked for."""
