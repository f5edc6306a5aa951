"""What the models of a configuration may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.errors import ModelNotFound

if TYPE_CHECKING:
    from llmstack.config.swap import SwapConfig


def names_of(config: SwapConfig) -> dict[str, str]:
    """The id for every id and alias; ids win."""
    aliases = {alias: model.id for model in config.models.values() for alias in model.aliases}
    return aliases | {model: model for model in config.models}


def unknown(name: str) -> ModelNotFound:
    """The error for a name that nobody has."""
    return ModelNotFound(
        "no router for requested model",
        why=f"{name!r} is not a model or alias of this configuration",
    )
