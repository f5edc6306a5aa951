"""The models in an upstream's ``/v1/models``, whoever wrote it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from llmstack.backends.protocol import Offered

#: Where servers tell the context: OpenRouter, vLLM, llama-swap, LM Studio, Groq, llama-server.
_CONTEXT: Final = (
    ("context_length",),
    ("max_model_len",),
    ("context_window",),
    ("loaded_context_length",),
    ("meta", "llamaswap", "context_length"),
    ("meta", "n_ctx"),
    ("max_context_length",),
)
_TRAINED: Final = (("meta", "n_ctx_train"), ("max_context_length",))
#: More than anybody has; the rest is passed over.
_MOST = 20_000
_LONGEST = 512


def offered(body: bytes) -> tuple[Offered, ...]:
    """What ``body`` lists: OpenAI's object, a bare array, or names alone. Odd entries are left out.

    Raises:
        ValueError: it is no list of models.
    """
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if isinstance(told, dict):
        told = next((told[name] for name in ("data", "models") if name in told), None)
    if not isinstance(told, list):
        raise ValueError("it has no list of models")  # noqa: TRY004  a value of theirs, not ours
    models = {model.name: model for one in told[:_MOST] if (model := _model(one))}
    return tuple(models.values())


def _model(told: Any) -> Offered | None:
    if isinstance(told, str):
        told = {"id": told}
    if not isinstance(told, dict):
        return None
    name = told.get("id") or told.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= _LONGEST:
        return None
    inputs = _at(told, ("architecture", "input_modalities"))
    taken = told.get("supported_parameters")
    able = told.get("capabilities")
    able = [*able] if isinstance(able, list | dict) else []
    said = told.get("description")
    return Offered(
        name=name,
        context=_first(told, _CONTEXT),
        trained=_first(told, _TRAINED),
        vision=(isinstance(inputs, list) and "image" in inputs)
        or told.get("type") == "vlm"
        or "vision" in able,
        tools=(isinstance(taken, list) and "tools" in taken) or "tool_use" in able,
        description=said[:2000] if isinstance(said, str) else "",
    )


def _first(told: dict[str, Any], places: tuple[tuple[str, ...], ...]) -> int:
    for place in places:
        value = _at(told, place)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40:
            return value
    return 0


def _at(told: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        told = told.get(name) if isinstance(told, dict) else None
    return told
