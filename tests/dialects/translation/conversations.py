"""Conversations of every shape, for property tests of writers."""

from __future__ import annotations

from hypothesis import strategies as st

from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    CacheMark,
    Conversation,
    Document,
    Image,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)

PNG = b"\x89PNG\r\n\x1a\n"

marks = st.none() | st.builds(CacheMark, st.sampled_from(["", "5m", "1h", "odd"]))
words = st.text(max_size=8)
ids = st.sampled_from(["a", "b", "c.1", "", "x" * 70])
names = st.sampled_from(["read", "mcp.read", "mcp_read", "", "n" * 80, "n" * 81])
texts = st.builds(Text, words, marks)
images = st.builds(Image, media_type=st.just("image/png"), data=st.just(PNG), cache=marks)
documents = st.builds(
    Document,
    media_type=st.just("application/pdf"),
    data=st.just(b"%PDF-1.7"),
    name=words | st.just("a.pdf"),
    cache=marks,
)
thoughts = st.builds(
    Thinking,
    words,
    signature=st.sampled_from(["", "c2ln"]),
    redacted=st.sampled_from(["", "cmVk", "not base64!"]),
)
arguments = st.sampled_from(["{}", '{"a":1}', "[1]", "null", "{", "", " ", "[" * 5000, "1e999"])
uses = st.builds(ToolUse, ids, names, arguments, marks)
parts = st.lists(texts | images | documents, max_size=3).map(tuple)
results = st.builds(ToolResult, ids, parts, st.booleans(), marks)
said_by_user = texts | images | documents | results | thoughts | uses
said_by_model = texts | thoughts | uses
turns = st.one_of(
    st.builds(Turn, st.just("user"), st.lists(said_by_user, max_size=4).map(tuple)),
    st.builds(Turn, st.just("assistant"), st.lists(said_by_model, max_size=4).map(tuple)),
)
schemas = st.sampled_from([{}, {"type": "object"}, {"type": "object", "properties": {"a": {}}}])
tools = st.builds(Tool, names, words, schemas, st.sampled_from([None, True, False]), marks)
choices = st.none() | st.builds(
    ToolChoice, st.sampled_from(["auto", "none", "required", "named"]), names
)
numbers = st.none() | st.floats(-1, 3) | st.just(float("nan"))
samplings = st.builds(
    Sampling,
    temperature=numbers,
    top_p=numbers,
    top_k=st.none() | st.integers(0, 50),
    max_output=st.none() | st.integers(0, 40000),
    stop=st.lists(st.sampled_from(["", " ", "\n", "END"]), max_size=4).map(tuple),
)
formats = st.none() | st.builds(AnswerFormat, st.none() | schemas, words)
efforts = st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max"])
conversations = st.builds(
    Conversation,
    model=st.just("m"),
    turns=st.lists(turns, max_size=6).map(tuple),
    system=st.lists(texts, max_size=3).map(tuple),
    tools=st.lists(tools, max_size=3).map(tuple),
    tool_choice=choices,
    parallel_calls=st.sampled_from([None, True, False]),
    sampling=samplings,
    effort=efforts,
    format=formats,
)
MODELS = (
    "anthropic.claude-v2:1",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "global.anthropic.claude-opus-4-6-v1",
    "anthropic.claude-opus-4-7",
    "amazon.nova-pro-v1:0",
    "us.amazon.nova-2-lite-v1:0",
    "openai.gpt-oss-120b-1:0",
    "us.deepseek.r1-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123def456",
    "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:2",
)
models = st.sampled_from(MODELS)
