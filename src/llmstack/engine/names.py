"""The error for names that no model has."""

from __future__ import annotations

from llmstack.errors import ModelNotFound


def unknown(name: str) -> ModelNotFound:
    """The error for a name that nobody has."""
    return ModelNotFound(
        "no router for requested model",
        why=f"{name!r} is not a model or alias of this configuration",
    )
