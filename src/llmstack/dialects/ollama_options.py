"""Ollama's ``options``, ``format`` and ``think`` as llama-server's OpenAI API takes them.

Names are those of Ollama's Modelfile reference; llama-server takes its own sampling parameters
beside OpenAI's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = {
    "mirostat": "mirostat",
    "num_keep": "n_keep",
    "repeat_last_n": "repeat_last_n",
    "seed": "seed",
    "top_k": "top_k",
}
_REAL = {
    "frequency_penalty": "frequency_penalty",
    "min_p": "min_p",
    "mirostat_eta": "mirostat_eta",
    "mirostat_tau": "mirostat_tau",
    "presence_penalty": "presence_penalty",
    "repeat_penalty": "repeat_penalty",
    "temperature": "temperature",
    "top_p": "top_p",
    "typical_p": "typical_p",
}
_LEVELS = ("low", "medium", "high", "max")


def options_to_openai(options: Mapping[str, Any] | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Parameters of a request, and the options that have no effect here.

    Without effect are the options of a process (``num_ctx``, ``num_gpu``, ``num_thread``, ...): the
    model's ``cmd`` has decided on them, and no client restarts a model for everybody. So are those
    that llama.cpp no longer has, and unknown ones.

    Raises:
        BadRequest: an option has the wrong type.
    """
    params: dict[str, Any] = {}
    ignored = []
    for name, value in (options or {}).items():
        if value is None:
            continue
        if name in _WHOLE:
            params[_WHOLE[name]] = _integer(name, value)
        elif name in _REAL:
            params[_REAL[name]] = _number(name, value)
        elif name == "num_predict":
            limit = _integer(name, value)
            if limit >= 0:  # -1 and -2 are "no limit" and "until the context is full"
                params["max_tokens"] = limit
        elif name == "stop":
            params["stop"] = _stops(value)
        else:
            ignored.append(f"options.{name}")
    return params, tuple(ignored)


def format_to_openai(wanted: Any) -> dict[str, Any]:
    """``format`` as a ``response_format``; nothing for an empty one.

    Raises:
        BadRequest: it is neither ``json`` nor a schema.
    """
    if wanted is None or wanted == "":
        return {}
    if wanted == "json":
        return {"response_format": {"type": "json_object"}}
    if isinstance(wanted, dict):
        schema = {"name": "answer", "schema": wanted}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    raise _wrong_format()


def format_to_schema(wanted: Any) -> dict[str, Any]:
    """``format`` as llama-server's plain completions take it: as a schema in any case.

    Raises:
        BadRequest: it is neither ``json`` nor a schema.
    """
    if wanted is None or wanted == "":
        return {}
    if wanted == "json":
        return {"json_schema": {"type": "object"}}
    if isinstance(wanted, dict):
        return {"json_schema": wanted}
    raise _wrong_format()


def think_to_openai(think: bool | str | None) -> dict[str, Any]:
    """``think`` as arguments of the model's chat template; nothing when it is left to the model.

    Raises:
        BadRequest: it is no boolean and no level.
    """
    if think is None:
        return {}
    if isinstance(think, bool):
        return {"chat_template_kwargs": {"enable_thinking": think}}
    if think not in _LEVELS:
        raise BadRequest(
            f"invalid think value: {think!r}", fix="Send true, false, low, medium or high."
        )
    # Templates differ in how they are told; those that do not know an argument pass it over.
    return {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": think}}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadRequest(f'option "{name}" must be a number')
    return value


def _integer(name: str, value: Any) -> int:
    number = int(_number(name, value))
    if not -(2**63) <= number < 2**63:
        raise BadRequest(f'option "{name}" must be a whole number of 64 bits')
    return number


def _stops(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(stop, str) for stop in value):
        raise BadRequest('option "stop" must be an array of strings')
    return value


def _wrong_format() -> BadRequest:
    return BadRequest("invalid format", fix='Send "json" or a JSON schema as an object.')
