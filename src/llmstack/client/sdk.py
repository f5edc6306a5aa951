"""The openai SDK as a stack wants it. Importing this needs the extra ``llmstack[client]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.errors import ExtraMissing

try:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
except ImportError as error:
    raise ExtraMissing(
        "the Python client needs the openai package",
        why=str(error),
        fix="pip install 'llmstack[client]'",
    ) from error

if TYPE_CHECKING:
    from openai._models import FinalRequestOptions

    from llmstack.client.address import Address

#: What stands for a token where there is none: the SDK insists on one.
NO_KEY = "no-key"

_NEW, _OLD = "max_completion_tokens", "max_tokens"


class StackOpenAI(OpenAI):
    """The SDK, which says ``max_tokens`` where it is told ``max_completion_tokens``.

    What the environment names is for OpenAI's own servers: the keys and headers there are not sent
    to another. A copy (``with_options``) is made by the constructor too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.organization, self.project = options.get("organization"), options.get("project")
        self.admin_api_key = options.get("admin_api_key")
        self._custom_headers = options.get("default_headers") or {}

    def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        return _with_old_limit(super()._prepare_options(options))


class AsyncStackOpenAI(AsyncOpenAI):
    """As ``StackOpenAI``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.organization, self.project = options.get("organization"), options.get("project")
        self.admin_api_key = options.get("admin_api_key")
        self._custom_headers = options.get("default_headers") or {}

    async def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        return _with_old_limit(await super()._prepare_options(options))


def new_http() -> DefaultHttpxClient:
    """A client that waits, and that no proxy of the environment comes before.

    A redirect would turn a POST into a GET: it is an error.
    """
    return DefaultHttpxClient(timeout=None, trust_env=False, follow_redirects=False)


def new_async_http() -> DefaultAsyncHttpxClient:
    """As ``new_http``."""
    return DefaultAsyncHttpxClient(timeout=None, trust_env=False, follow_redirects=False)


def new_openai(address: Address, http: DefaultHttpxClient) -> OpenAI:
    """The SDK at ``address``; without time-out and without retries."""
    return StackOpenAI(
        base_url=f"{address.root}/v1",
        api_key=address.token or NO_KEY,
        http_client=http,
        timeout=None,
        max_retries=0,
    )


def new_async_openai(address: Address, http: DefaultAsyncHttpxClient) -> AsyncOpenAI:
    """As ``new_openai``."""
    return AsyncStackOpenAI(
        base_url=f"{address.root}/v1",
        api_key=address.token or NO_KEY,
        http_client=http,
        timeout=None,
        max_retries=0,
    )


def _with_old_limit(options: FinalRequestOptions) -> FinalRequestOptions:
    """Not every model server knows the new name. A limit under the old one stands."""
    options.json_data = _renamed(options.json_data)
    options.extra_json = _renamed(options.extra_json)
    return options


def _renamed(body: Any) -> Any:
    if not isinstance(body, dict) or _NEW not in body:
        return body
    return {_OLD: body[_NEW]} | {name: value for name, value in body.items() if name != _NEW}
