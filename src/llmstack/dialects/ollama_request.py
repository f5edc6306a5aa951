"""Requests of Ollama's API as requests that llama-server and OpenAI's API understand.

The rules are those of Ollama's API reference; what an empty request means is in its
``server/routes.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from llmstack.dialects.ollama_body import (
    ChatBody,
    EmbedBody,
    EmbeddingsBody,
    GenerateBody,
    Generating,
    decode_ollama,
)
from llmstack.dialects.ollama_chat import content, messages_to_openai
from llmstack.dialects.ollama_options import (
    format_to_openai,
    format_to_schema,
    options_to_openai,
    think_to_openai,
)
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.ollama_body import Named

Kind = Literal["chat", "generate", "embed", "embeddings"]

_UNITS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_STEP = re.compile(r"(\d+(?:\.\d*)?)(ns|us|\u00b5s|ms|s|m|h|\Z)")
_DURATION = re.compile(rf"[+-]?(?:{_STEP.pattern})+")


@dataclass(frozen=True, slots=True)
class OllamaRequest:
    """One request, translated.

    ``path`` is the OpenAI route and ``body`` the body for it, without a model. ``path`` is None for
    a request with nothing to answer, which loads the model, or unloads it if ``unload``.
    ``ignored`` names what the client asked for and does not get. ``dimensions`` is how long
    embeddings shall be, 0 for as they come.
    """

    kind: Kind
    model: str
    stream: bool = False
    path: str | None = None
    body: dict[str, Any] | None = None
    unload: bool = False
    ignored: tuple[str, ...] = ()
    dimensions: int = 0

    def encoded(self, model: str) -> bytes:
        """The body for ``path``, asking for ``model``."""
        return msgspec.json.encode({"model": model, **(self.body or {})})


def read_ollama(kind: Kind, body: bytes) -> OllamaRequest:
    """Understand the ``body`` of a request.

    Raises:
        BadRequest: it is malformed, or asks for what cannot be done here.
    """
    match kind:
        case "chat":
            return _chat(decode_ollama(body, ChatBody))
        case "generate":
            return _generate(decode_ollama(body, GenerateBody))
        case "embed":
            return _embed(decode_ollama(body, EmbedBody))
        case "embeddings":
            return _embeddings(decode_ollama(body, EmbeddingsBody))


def _chat(body: ChatBody) -> OllamaRequest:
    if not body.messages:
        return _empty("chat", body)
    params, ignored = _params(body)
    params = {
        "messages": messages_to_openai(body.messages),
        **({"tools": body.tools} if body.tools else {}),
        **params,
        **format_to_openai(body.format),
        **think_to_openai(body.think),
    }
    return _request("chat", body, "/v1/chat/completions", params, ignored)


def _generate(body: GenerateBody) -> OllamaRequest:
    if body.raw and (body.template or body.system or body.context):
        raise BadRequest("raw mode does not support template, system, or context")
    if not body.prompt and not body.suffix:
        return _empty("generate", body)
    if body.template:
        raise BadRequest(
            "template is not supported",
            why="A model is asked through the template that it was loaded with.",
            fix="Leave it out, or send the whole prompt with raw.",
        )
    if body.raw or body.suffix:
        return _plain(body)
    params, ignored = _params(body)
    if body.context:
        ignored += ("context",)
    messages = [{"role": "user", "content": content(body.prompt, body.images)}]
    if body.system:
        messages.insert(0, {"role": "system", "content": body.system})
    params = {
        "messages": messages,
        **params,
        **format_to_openai(body.format),
        **think_to_openai(body.think),
    }
    return _request("generate", body, "/v1/chat/completions", params, ignored)


def _plain(body: GenerateBody) -> OllamaRequest:
    """A prompt that no template touches: completed, or filled in before ``suffix``."""
    if body.images:
        raise BadRequest("images go with a prompt without raw and suffix only")
    params, ignored = _params(body, chat=False)
    params |= format_to_schema(body.format)
    if not body.suffix:
        params = {"prompt": body.prompt, **params}
        return _request("generate", body, "/v1/completions", params, ignored)
    params["n_predict"] = params.pop("max_tokens", -1)
    params = {"input_prefix": body.prompt or "", "input_suffix": body.suffix, **params}
    return _request("generate", body, "/infill", params, ignored)


def _embed(body: EmbedBody) -> OllamaRequest:
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts or texts == [""]:
        return OllamaRequest("embed", _model(body))
    wanted = _request("embed", body, "/v1/embeddings", {"input": texts}, _ignored(body))
    return replace(wanted, dimensions=max(0, body.dimensions or 0))


def _embeddings(body: EmbeddingsBody) -> OllamaRequest:
    if not body.prompt:
        return OllamaRequest("embeddings", _model(body))
    params = {"input": body.prompt}
    return _request("embeddings", body, "/v1/embeddings", params, _ignored(body))


def _request(
    kind: Kind, body: Named, path: str, params: dict[str, Any], ignored: tuple[str, ...]
) -> OllamaRequest:
    stream = isinstance(body, Generating) and body.stream is not False
    if isinstance(body, Generating):
        params["stream"] = stream
        if stream:
            params["stream_options"] = {"include_usage": True}
    return OllamaRequest(kind, _model(body), stream, path, params, ignored=ignored)


def _empty(kind: Kind, body: Generating) -> OllamaRequest:
    unload = body.keep_alive is not None and _seconds(body.keep_alive) == 0
    return OllamaRequest(kind, _model(body), stream=body.stream is not False, unload=unload)


def _params(body: Generating, *, chat: bool = True) -> tuple[dict[str, Any], tuple[str, ...]]:
    params, ignored = options_to_openai(body.options)
    ignored += _kept(body)
    if body.logprobs or body.top_logprobs:
        if chat:
            params["logprobs"] = True
            params |= {"top_logprobs": body.top_logprobs} if body.top_logprobs else {}
        else:
            ignored += ("logprobs",)
    return params, ignored


def _ignored(body: Named) -> tuple[str, ...]:
    return (*(f"options.{name}" for name in body.options or ()), *_kept(body))


def _kept(body: Named) -> tuple[str, ...]:
    """How long a model stays is for its ``ttl`` to say, not for one of its clients."""
    if body.keep_alive is None:
        return ()
    _seconds(body.keep_alive)
    return ("keep_alive",)


def _seconds(wanted: str | float) -> float:
    """``keep_alive``: seconds, or a duration as Go writes it."""
    if not isinstance(wanted, str):
        return wanted
    text = wanted.strip()
    if not _DURATION.fullmatch(text):
        raise BadRequest(
            f"invalid keep_alive: {wanted!r}", fix='Send seconds, or a text such as "5m".'
        )
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in _STEP.findall(text))
    return -seconds if text.startswith("-") else seconds


def _model(body: Named) -> str:
    return body.model or body.name or ""
