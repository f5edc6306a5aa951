"""A session of aiobotocore for an account, made in a thread: nothing of it is quick.

Importing takes 0.4 s, the service's model 0.1 s, and the chain of credentials may run programs
and ask servers. What is left for the event loop afterwards is 3 ms.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from llmstack.backends.bedrock_account import Account

SERVICE: Final = "bedrock-runtime"
#: Seconds that the chain of credentials may take: a login's renewal is a few calls to AWS.
LONGEST: Final = 60.0
#: Streams at a time for one account; connections are only made when they are needed.
CONNECTIONS: Final = 4096
_DATA: Final = ("endpoints", "partitions", "sdk-default-configuration", "_retry")


def make_session(account: Account) -> Any:
    """The session, with credentials and with what a client is made of. Blocks.

    Raises:
        Exception: botocore's, for a profile or credentials that are not there; TimeoutError.
    """
    return asyncio.run(_make(account))


def client_options(account: Account) -> dict[str, Any]:
    """How a client of the session is made: ``create_client``'s arguments.

    Botocore's own limit of silence is off: ours differ between tiers that share a client, and
    between the wait for an answer and a pause within it. Its retries end with the answer's head.
    """
    from aiobotocore.config import AioConfig

    options: dict[str, Any] = {
        "connect_timeout": account.connect_timeout or None,
        "read_timeout": None,
        "retries": {"mode": "standard", "total_max_attempts": max(1, account.attempts)},
        "max_pool_connections": CONNECTIONS,
    }
    if account.is_here:
        # A proxy of the environment is for AWS, not for what listens on this machine.
        options["proxies"] = {}
    return {
        "region_name": account.region or None,
        "endpoint_url": account.endpoint or None,
        "config": AioConfig(**options),
    }


async def _make(account: Account) -> Any:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import AioSession
    from botocore.exceptions import NoCredentialsError

    session = AioSession(profile=account.profile or None)
    # For the calls that credentials need, to STS and SSO.
    session.set_default_client_config(AioConfig(connect_timeout=10, read_timeout=20))
    resolver = session.get_component("credential_provider")
    for provider in resolver.providers:
        if hasattr(provider, "_prompter"):
            provider._prompter = _no_prompt  # noqa: SLF001  botocore has no other way to say so
    async with asyncio.timeout(LONGEST):
        credentials = await session.get_credentials()
        if credentials is not None:
            await credentials.get_frozen_credentials()
        elif not account.bearer:
            raise NoCredentialsError
    loader = session.get_component("data_loader")
    for name in _DATA:
        loader.load_data(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(SERVICE, kind, api_version=None)
    return session


def _no_prompt(prompt: str) -> str:
    """A daemon has nobody to ask.

    Raises:
        CredentialRetrievalError: always.
    """
    from botocore.exceptions import CredentialRetrievalError

    raise CredentialRetrievalError(
        provider="assume-role", error_msg=f"{prompt.strip()} cannot be asked for here"
    )
