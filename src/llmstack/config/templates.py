"""The ``models.ini`` files that llmstack brings along."""

from __future__ import annotations

import re
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.config.problems import Problem
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

#: The first port of the demo's processes, where it is free.
DEMO_PORT = 10201

_UNWRITABLE = re.compile(r"\s[;]|\$\{|[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\s|\s$")

#: Kinds of models that a project can begin with, and the file of each.
VARIANTS = MappingProxyType(
    {"gguf": "models.ini", "bedrock": "bedrock.ini", "anthropic": "anthropic.ini"}
)


def default_ini(variant: str = "gguf") -> str:
    """The ``models.ini`` that a new project starts with; ``variant`` is a key of ``VARIANTS``."""
    return _data(VARIANTS[variant])


def profile_template() -> str:
    """What ``config.profile_ini`` fills in."""
    return _data("profile.ini")


def agents_md() -> str:
    """What coding agents should know of a project that llmstack serves."""
    return _data("AGENTS.md")


def render_demo_ini(model: Path, start_port: int = DEMO_PORT) -> str:
    """A ``models.ini`` whose every tier is the one small model at ``model``.

    ``start_port`` is the first of the four ports that its processes take.

    Raises ``ConfigError`` if the path cannot be written in an INI file.
    """
    path = str(model)
    if _UNWRITABLE.search(path):
        raise ConfigError(
            [
                Problem(
                    "demo.ini",
                    None,
                    f"The path {path!r} cannot be written in an INI file.",
                    "Put the model in a folder with a plain name.",
                )
            ]
        )
    text = _data("demo.ini").replace("{start_port}", str(start_port))
    return text.replace("{model}", path)


def _data(name: str) -> str:
    return (files("llmstack.config") / "data" / name).read_text(encoding="utf-8")
