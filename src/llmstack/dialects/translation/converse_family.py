"""Which family of models a Bedrock model id names, and what Converse takes for it.

An id is bare ("anthropic.claude-sonnet-4-5-20250929-v1:0"), an inference profile with its
geography before it ("eu.anthropic..."), or an ARN that ends in one of the two. Ids that tell
nothing (application inference profiles, provisioned models, prompts) are of no family: nothing
of one family's own is sent then. Sources: Bedrock user guide, "Inference request parameters"
and "Adaptive thinking"; Nova user guide, "Using the Converse API".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Vendor = Literal["claude", "nova", "openai", "other", "unknown"]

_PROMPT = re.compile(r"^arn:[^/]*:prompt/")
# One or two words of geography before the vendor: "us.", "apac.", "us-gov.", "global.".
_NAMED = re.compile(r"^(?:[a-z-]+\.)?(?P<vendor>[a-z0-9]+)\.(?P<model>[A-Za-z].*)$")
# A date has eight digits, a version at most two.
_CLAUDE_VERSION = re.compile(r"-(\d{1,2})(?:-(\d{1,2}))?(?=[-:@]|$)")
_NEWEST = (99, 0)
_TAMED = re.compile(r"-(opus|sonnet|haiku)-")


@dataclass(frozen=True, slots=True)
class Family:
    """``version`` is (major, minor) for Claude and (major, 0) for Nova, else (0, 0)."""

    vendor: Vendor
    version: tuple[int, int] = (0, 0)
    model: str = ""
    #: A stored prompt: it brings its own system, tools and sampling, and no others may be sent.
    prompt: bool = False

    @property
    def signs_thinking(self) -> bool:
        """Whether what it thought may be shown to it again."""
        return self.vendor == "claude"

    @property
    def keeps_cache_points(self) -> bool:
        """A family that is not known gets the marks that the client asked for."""
        return self.vendor in ("claude", "nova", "unknown")

    @property
    def keeps_tool_cache_points(self) -> bool:
        """Nova keeps system and messages only."""
        return self.vendor in ("claude", "unknown")

    @property
    def keeps_status(self) -> bool:
        """Whether a tool's result may be marked as an error ("ToolResultBlock"); others refuse."""
        return self.vendor in ("claude", "nova", "unknown")

    @property
    def budgets_thinking(self) -> bool:
        """Claude 3.7 to 4.6 take a number of tokens to think."""
        return self.vendor == "claude" and (3, 7) <= self.version < (4, 7)

    @property
    def adapts_thinking(self) -> bool:
        """Claude from 4.6 on thinks as much as an effort says."""
        return self.vendor == "claude" and self.version >= (4, 6)

    @property
    def thinks_unasked(self) -> bool:
        """Claude Opus, Sonnet and Haiku from 5 on think unless they are told not to."""
        return self.adapts_thinking and self.version >= (5, 0) and bool(_TAMED.search(self.model))

    @property
    def samples(self) -> bool:
        """Claude from 4.7 on refuses temperature, top_p and top_k."""
        return not (self.vendor == "claude" and self.version >= (4, 7))

    @property
    def one_of_temperature_and_top_p(self) -> bool:
        """Claude from 4.1 on takes one of the two."""
        return self.vendor == "claude" and self.version >= (4, 1)

    @property
    def keeps_schemas(self) -> bool:
        """Whether answers and strict calls can be held to a schema ("Structured outputs")."""
        if self.vendor == "claude":
            return self.version >= (4, 5)
        return self.vendor == "openai" or self.model.startswith(_SCHEMA_MODELS)


_SCHEMA_MODELS = (
    "deepseek.v3",
    "google.gemma-3",
    "minimax.minimax-m2",
    "mistral.magistral",
    "mistral.ministral",
    "mistral.mistral-large-3",
    "moonshot.kimi",
    "nvidia.nemotron",
    "qwen.qwen3",
)


def family_of(model_id: str) -> Family:
    """The family of ``model_id``; never fails."""
    if _PROMPT.match(model_id):
        return Family("unknown", prompt=True)
    name = model_id.rpartition("/")[2] if model_id.startswith("arn:") else model_id
    found = _NAMED.match(name)
    if not found:
        return Family("unknown")
    vendor, model = found["vendor"], found["model"]
    full = f"{vendor}.{model}"
    if vendor == "anthropic":
        return Family("claude", _claude_version(model), full)
    if vendor == "amazon" and model.startswith("nova-"):
        return Family("nova", (2 if model.startswith("nova-2") else 1, 0), full)
    if vendor == "openai":
        return Family("openai", model=full)
    return Family("other", model=full)


def _claude_version(model: str) -> tuple[int, int]:
    if model.startswith(("claude-v", "claude-instant")):
        return (2, 0)
    found = _CLAUDE_VERSION.search(model)
    if not found:
        return _NEWEST
    return int(found[1]), int(found[2] or 0)
