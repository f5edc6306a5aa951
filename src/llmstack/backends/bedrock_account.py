"""Whose Bedrock is asked, and how."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.hosted import Hosted


@dataclass(frozen=True, slots=True)
class Account:
    """What calls must have in common to share a client. Empty names leave it to the AWS chain.

    ``connect_timeout`` is in seconds, 0 for no limit; ``attempts`` are all, the first included.
    ``bearer`` says that the environment has a key of Bedrock's own, which needs no others.
    """

    profile: str = ""
    region: str = ""
    endpoint: str = ""
    connect_timeout: float = 10
    attempts: int = 3
    bearer: bool = False

    @property
    def is_here(self) -> bool:
        """Whether its endpoint is on this machine."""
        host = urlsplit(self.endpoint).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def account_of(hosted: Hosted, environ: Mapping[str, str]) -> Account:
    """The account that ``hosted`` names."""
    return Account(
        hosted.profile,
        hosted.region,
        hosted.endpoint_url,
        hosted.connect_timeout,
        hosted.retries + 1,
        bearer=bool(environ.get("AWS_BEARER_TOKEN_BEDROCK")),
    )
