"""Whether the AWS configuration of this machine knows a profile, and leads to a region."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL = "pip install 'llmstack[bedrock]'"


def aws_problem(profile: str, region: str, environ: Mapping[str, str]) -> str:
    """Why Bedrock cannot be called with these, empty if nothing speaks against it.

    Reads the files of the AWS configuration as botocore does; nobody is asked, and credentials
    are not looked at. Empty names leave it to ``environ`` and those files.
    """
    if find_spec("aiobotocore") is None:
        return f"aiobotocore is not installed; install it: {INSTALL}"
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    session = Session()
    for key, variable in (
        ("config_file", "AWS_CONFIG_FILE"),
        ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE"),
    ):
        if path := environ.get(variable):
            session.set_config_variable(key, path)
    try:
        profiles: dict[str, dict[str, str]] = session.full_config.get("profiles", {})
    except (BotoCoreError, OSError, UnicodeError) as error:
        return f"the AWS configuration cannot be read: {' '.join(str(error).split())}"
    asked = profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or ""
    if asked and asked not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        return f"the AWS configuration has no profile {asked!r}; it has {known}"
    found = (
        region
        or environ.get("AWS_DEFAULT_REGION")
        or profiles.get(asked or "default", {}).get("region")
    )
    if not found:
        whose = f"the profile {asked!r}" if asked else "the AWS configuration"
        return f"{whose} names no region; write aws_region"
    return ""
