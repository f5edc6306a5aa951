"""Whatever bytes arrive, reading gives a view or refuses with BadRequest."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects import read, replace_model
from llmstack.errors import BadRequest

PATHS = st.sampled_from(
    [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/anything",
    ]
)
#: What a body, a message and a part may hold.
MEMBERS = [
    *("model", "stream", "messages", "system", "instructions", "input", "prompt", "suffix"),
    *("tools", "functions", "max_tokens", "role", "content", "type", "text", "name"),
    *("tool_calls", "arguments", "output", "summary", "source", "thinking", "image_url"),
]
#: Roles and part types.
KINDS = [
    *("user", "system", "developer", "assistant", "tool", "text", "input_text", "image"),
    *("image_url", "tool_result", "tool_use", "thinking", "document", "file", "reasoning"),
    "function_call",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(KINDS),
    st.sampled_from(
        ["<system-reminder>", "<system-reminder>\nx</system-reminder>", '"x"', "\ud800"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    ),
    max_leaves=25,
)
PARTS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"type": st.sampled_from(KINDS)},
        optional={"text": VALUES, "content": VALUES, "input": VALUES, "source": VALUES},
    ),
)
MESSAGES = st.lists(
    st.one_of(
        VALUES,
        st.fixed_dictionaries(
            {"role": st.sampled_from(KINDS)},
            optional={"content": st.one_of(VALUES, st.lists(PARTS)), "tool_calls": VALUES},
        ),
    ),
    max_size=5,
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(MEMBERS), VALUES),
    st.fixed_dictionaries({"messages": MESSAGES}, optional={"tools": VALUES, "system": VALUES}),
    st.fixed_dictionaries({"input": MESSAGES}, optional={"tools": VALUES}),
    st.fixed_dictionaries({"prompt": VALUES}),
)


@settings(max_examples=400, deadline=None)
@given(PATHS, BODIES, st.booleans())
def test_any_json_is_read_or_refused(path: str, body: dict[str, Any], ascii_only: bool) -> None:
    written = json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    with suppress(BadRequest):
        seen = read(path, written)
        assert seen.tokens >= seen.tool_tokens >= 0
        assert seen.max_output is None or seen.max_output >= 0
        assert seen.model != ""


@settings(deadline=None)
@given(PATHS, st.one_of(st.binary(), st.binary().map(lambda junk: b'{"model":' + junk)))
def test_any_bytes_are_read_or_refused(path: str, body: bytes) -> None:
    with suppress(BadRequest):
        read(path, body)
    with suppress(BadRequest):
        replace_model(body, "x")


@settings(deadline=None)
@given(PATHS, st.integers(1, 1200), st.sampled_from(["[", '{"content":', '[{"content":']))
def test_any_depth_is_read_or_refused(path: str, depth: int, opening: str) -> None:
    closing = opening.replace("[", "]").replace("{", "}")[::-1].replace('":tnetnoc"', "")
    nested = opening * depth + "1" + closing * depth
    for member in ("messages", "input", "prompt", "tools"):
        body = f'{{"{member}":[{{"role":"user","content":{nested}}}]}}'.encode()
        with suppress(BadRequest):
            read(path, body)
        with suppress(BadRequest):
            replace_model(body, "x")
