"""Body bytes to a ``RequestView``: one decode, one walk over the messages."""

from __future__ import annotations

import re
from typing import Any

from llmstack.dialects.estimate import (
    MEDIA,
    MESSAGE,
    TOKEN,
    json_size,
    text_size,
    tokens,
    value_size,
)
from llmstack.dialects.text import reminders, spoken, texts, unquoted
from llmstack.dialects.view import Dialect, RequestView
from llmstack.dialects.wire import (
    ABSENT,
    Body,
    decode_body,
    decode_envelope,
    model_name,
    too_deep,
)
from llmstack.errors import BadRequest

_DIALECTS: dict[str, Dialect] = {
    "chat/completions": "chat",
    "responses": "responses",
    "messages": "messages",
    "messages/count_tokens": "messages",
    "completions": "completions",
    "completion": "completions",
    "embeddings": "embeddings",
}
_PATH = re.compile(r"(?:/v1|/v)?/([a-z_/]+)(?:\?|\Z)")
#: The paths that are asked for as a rule: every request asks this several times.
_USUAL = {f"/v1/{end}": dialect for end, dialect in _DIALECTS.items()}
_FILLED_ARRAY = re.compile(rb"\s*\[\s*[^\s\]]")

_IMAGES = ("image", "image_url", "input_image")
_OTHER_MEDIA = ("audio", "document", "file", "input_audio", "input_file", "video_url")
#: Members of a message that is nothing but role and content.
_PLAIN = 2
#: Members of a message, beside its content, that end up in the prompt.
_MEMBERS = (
    "name",
    "tool_calls",
    "function_call",
    "arguments",
    "reasoning",
    "reasoning_content",
    "summary",
)


def dialect_of(path: str) -> Dialect:
    """The dialect spoken at ``path``, with or without the ``/v1`` or ``/v`` prefix."""
    if usual := _USUAL.get(path):
        return usual
    found = _PATH.match(path)
    return _DIALECTS.get(found[1], "other") if found else "other"


def read(path: str, body: bytes) -> RequestView:
    """Look at the request ``body`` that was sent to ``path``.

    Values of an unexpected type are passed over, since judging them is up to the model server.
    Raises BadRequest when the body is no JSON object, when ``model`` is neither string nor null
    and when ``messages`` is not a list.
    """
    dialect = dialect_of(path)
    if dialect == "other":
        envelope = decode_envelope(body)
        return RequestView(dialect, model_name(envelope), envelope.stream is True)
    decoded = decode_body(body)
    try:
        if dialect == "completions":
            return _prompt_view(dialect, decoded, decoded.prompt, words=True)
        if dialect == "embeddings":
            return _prompt_view(dialect, decoded, decoded.input, words=False)
        return _conversation_view(dialect, decoded)
    except RecursionError:
        raise too_deep() from None


def _conversation_view(dialect: Dialect, body: Body) -> RequestView:
    model = model_name(body)
    system: list[str] = []
    if dialect == "messages":
        system.extend(texts(body.system))
    elif dialect == "responses":
        system.extend(texts(body.instructions))
    size = sum(map(text_size, system))
    turns: list[str] = []
    #: The last user message, and what harnesses have put after it.
    lately: list[Any] = []
    continues = has_images = False
    for item in _items(dialect, body):
        role = item.get("role")
        content = item.get("content", item.get("output"))
        if isinstance(content, str):  # as a rule
            content_size = text_size(content)
        else:
            content_size, images = _content_size(content)
            has_images = has_images or images
        size += MESSAGE + content_size
        if len(item) > _PLAIN or "content" not in item:
            size += sum(value_size(item[name]) for name in _MEMBERS if item.get(name))
        if role == "user":
            said = spoken(content)
            if said is not None:
                turns.append(said)
                lately = [content]
                continues = False
            else:
                lately.append(content)
                continues = True
        elif role in ("system", "developer"):
            system.extend(texts(content))
        else:
            continues = True
    tools, functions = bytes(body.tools), bytes(body.functions)
    tool_size = json_size(tools) + json_size(functions)
    return RequestView(
        dialect=dialect,
        model=model,
        stream=body.stream is True,
        last_user=unquoted(turns[-1]) if turns else "",
        system="\n".join(system),
        has_tools=tool_size > 0 and _has_items(tools, functions),
        has_images=has_images,
        user_turns=len(turns),
        tokens=tokens(size + tool_size),
        tool_tokens=tokens(tool_size),
        max_output=_max_output(body),
        first_user=unquoted(turns[0]) if turns else "",
        reminders=reminders(lately),
        continues=continues and bool(turns),
        session=_session(body),
    )


def _has_items(*arrays: bytes) -> bool:
    return any(_FILLED_ARRAY.match(array) for array in arrays)


def _session(body: Body) -> str:
    """What the body calls its session, empty for nothing."""
    if isinstance(body.prompt_cache_key, str):
        return body.prompt_cache_key
    user = body.metadata.get("user_id") if isinstance(body.metadata, dict) else None
    return user if isinstance(user, str) else ""


def _items(dialect: Dialect, body: Body) -> list[dict[str, Any]]:
    items = body.input if dialect == "responses" else body.messages
    if dialect == "responses" and not isinstance(items, list):
        items = [items]
    if items is ABSENT:
        items = []
    if not isinstance(items, list):
        raise BadRequest(
            "The request's messages are not a list",
            why='"messages" must be an array of objects, each with a role and content.',
            fix='Send "messages": [{"role": "user", "content": "..."}].',
        )
    # A bare string is how the Responses API spells a single user message.
    return [
        {"role": "user", "content": item} if isinstance(item, str) else item
        for item in items
        if isinstance(item, (str, dict))
    ]


def _content_size(content: Any) -> tuple[int, bool]:
    """The size in quarter tokens and whether there are images."""
    if isinstance(content, str):
        return text_size(content), False
    if isinstance(content, dict):
        return _part_size(content)
    size, images = 0, False
    if isinstance(content, list):
        for part in content:
            part_size, part_images = _content_size(part)
            size += part_size
            images = images or part_images
    return size, images


def _part_size(part: dict[str, Any]) -> tuple[int, bool]:
    kind = part.get("type")
    if kind in _IMAGES:
        return MEDIA, True
    if kind == "tool_result":
        return _content_size(part.get("content"))
    return _imageless_size(kind, part), False


def _imageless_size(kind: Any, part: dict[str, Any]) -> int:
    text = part.get("thinking" if kind == "thinking" else "text")
    if isinstance(text, str):
        return text_size(text)
    if kind == "tool_use":
        return value_size(part.get("name")) + value_size(part.get("input"))
    if kind in _OTHER_MEDIA:
        source = part.get("source")
        is_text = isinstance(source, dict) and source.get("type") in ("text", "content")
        return value_size(source) if is_text else MEDIA
    return value_size(part)


def _prompt_view(dialect: Dialect, body: Body, prompt: Any, *, words: bool) -> RequestView:
    # Several prompts in one body are answered one by one: the largest must fit, not the sum.
    several = isinstance(prompt, list) and not all(isinstance(item, int) for item in prompt)
    prompts = prompt if several else [prompt]
    said = [item for item in prompts if isinstance(item, str)]
    size = max(map(_prompt_size, prompts), default=0)
    if isinstance(body.suffix, str):
        size += text_size(body.suffix)
    return RequestView(
        dialect=dialect,
        model=model_name(body),
        stream=body.stream is True,
        last_user=said[-1] if said and words else "",
        user_turns=1 if prompts != [None] else 0,
        tokens=tokens(size),
        max_output=_max_output(body),
    )


def _prompt_size(prompt: Any) -> int:
    if isinstance(prompt, list):
        return len(prompt) * TOKEN
    return 0 if prompt is None else _content_size(prompt)[0]


def _max_output(body: Body) -> int | None:
    limits = (
        body.max_completion_tokens,
        body.max_tokens,
        body.max_output_tokens,
        body.n_predict,
    )
    for limit in limits:
        if isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit >= 0:
            return int(limit)
    return None
