"""Whose Bedrock is asked, and whether the files of the AWS configuration know it.

The files are read here without botocore, so that a tier which cannot work is known before anything
heavy is imported. Whether there are credentials is for botocore's chain to say, at the first call.
"""

from __future__ import annotations

import shlex
from configparser import Error as ConfigError
from configparser import RawConfigParser
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.hosted import Hosted

INSTALL = "pip install 'llmstack[bedrock]'"


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


class Trouble(NamedTuple):
    """Why an account cannot be used, and what to do."""

    why: str
    fix: str


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


def trouble_of(account: Account, environ: Mapping[str, str]) -> Trouble | None:
    """What stands in the way of ``account`` for sure; None when the AWS chain may be asked."""
    if find_spec("aiobotocore") is None:
        return Trouble("aiobotocore is not installed", f"Install it: {INSTALL}")
    config = _path(environ, "AWS_CONFIG_FILE", "~/.aws/config")
    credentials = _path(environ, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    try:
        known = _profiles(config)
        for name, values in _sections(credentials).items():
            known[name] = known.get(name, {}) | values
    except (ConfigError, OSError, UnicodeError) as error:
        told = " ".join(str(error).split())
        return Trouble(f"The AWS configuration cannot be read: {told}", f"Mend {config}.")
    # The order of botocore's own look-up.
    asked = (
        account.profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or ""
    )
    if asked and asked not in known:
        return Trouble(
            f"The AWS profile {asked!r} is neither in {config} nor in {credentials}",
            "Name one of "
            + (", ".join(sorted(known)) or f"your own (aws configure --profile {asked})")
            + " as aws_profile.",
        )
    region = (
        account.region
        or environ.get("AWS_DEFAULT_REGION")
        or known.get(asked or "default", {}).get("region")
    )
    if not region:
        of = f"The AWS profile {asked!r}" if asked else "The AWS configuration"
        return Trouble(f"{of} names no region", "Set aws_region, like aws_region = eu-central-1.")
    return None


def _path(environ: Mapping[str, str], name: str, default: str) -> Path:
    return Path(environ.get(name) or default).expanduser()


def _sections(path: Path) -> dict[str, dict[str, str]]:
    """The sections of an AWS file; none where there is no file."""
    parser = RawConfigParser(default_section="")
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    parser.read_string(text, str(path))
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _profiles(path: Path) -> dict[str, dict[str, str]]:
    """The profiles of the config file; each but ``default`` is called ``profile NAME`` there."""
    found: dict[str, dict[str, str]] = {}
    for section, values in _sections(path).items():
        try:
            words = shlex.split(section)
        except ValueError:
            continue
        if words == ["default"]:
            found["default"] = values
        elif len(words) == 2 and words[0] == "profile":
            found[words[1]] = values
    return found
