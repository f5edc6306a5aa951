"""Whether the AWS configuration of this machine knows a profile, and leads to a region.

Its files are read without botocore, whose import takes a quarter of a second: every tier is looked
at before it is asked, on the event loop too.
"""

from __future__ import annotations

import shlex
from configparser import Error as ConfigError
from configparser import RawConfigParser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL = "pip install 'llmstack[bedrock]'"


def aws_problem(profile: str, region: str, environ: Mapping[str, str]) -> str:
    """Why Bedrock cannot be called with these, empty if nothing speaks against it.

    Looks up what botocore would, in its order; nobody is asked, and credentials are not looked at.
    Empty names leave it to ``environ`` and the files.
    """
    if find_spec("aiobotocore") is None:
        return f"aiobotocore is not installed; install it: {INSTALL}"
    try:
        profiles = _profiles(_path(environ, "AWS_CONFIG_FILE", "~/.aws/config"))
        keys = _path(environ, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
        for name, values in _sections(keys).items():
            profiles[name] = profiles.get(name, {}) | values
    except ConfigError as error:
        return f"the AWS configuration cannot be read: {_place(error)} is not understood"
    except (OSError, UnicodeError) as error:
        return f"the AWS configuration cannot be read: {' '.join(str(error).split())}"
    asked = profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or ""
    if asked and asked not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        return (
            f"the AWS configuration has no profile {asked!r}; it has {known}; "
            f"write another aws_profile, or: aws configure --profile {shlex.quote(asked)}"
        )
    found = (
        region
        or environ.get("AWS_DEFAULT_REGION")
        or profiles.get(asked or "default", {}).get("region")
    )
    if not found:
        whose = f"the profile {asked!r}" if asked else "the AWS configuration"
        return f"{whose} names no region; write aws_region"
    return ""


def _place(error: ConfigError) -> str:
    """The file and the line; never what stands there, which may be a key."""
    errors = getattr(error, "errors", None)
    line = errors[0][0] if errors else getattr(error, "lineno", None)
    source = getattr(error, "source", "") or "a file"
    return f"line {line} of {source}" if line else f"{source}"


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
