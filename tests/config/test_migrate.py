"""Older models.ini files in today's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config import default_ini, parse_stack
from llmstack.config.migrate import migrate
from llmstack.errors import ConfigError

HUB = "hf_repo = o/r\nhf_file = f.gguf\n"


def migrated(text: str) -> str:
    return migrate(text, "models.ini").text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("role = build\ntier = subagent\n", "role = fast\ntier = subagent\n"),
        ("tier = orchestrator\nrole=build ; big\n", "tier = orchestrator\nrole=ultra ; big\n"),
        ("role = nofilter-chat\n", "role = plan-uncensored\n"),
        ("ctx_size = 64,000 ; half\n", "ctx_size = 64000 ; half\n"),
        (
            "backend : litellm\nmodel : bedrock/a.b-v1:0\nmodel_next = bedrock/c\n",
            "backend : bedrock\naws_model_id : a.b-v1:0\naws_model_id_next = c\n",
        ),
        ("role = agent\n; role = build\n", "role = agent\n; role = build\n"),
    ],
)
def test_each_older_form_becomes_todays_and_comments_stay(before: str, after: str) -> None:
    """Only the words that changed are touched."""
    assert migrated(f"[a] \n{before}") == f"[a] \n{after}"


def test_section_names_and_the_byte_order_mark_are_mended() -> None:
    """Both used to make a section count as a tier or the file as garbage."""
    assert migrated("\ufeff[routing]\nmulti_turn = 3\n") == "[ROUTING]\nmulti_turn = 3\n"


def test_a_known_provider_behind_the_proxy_is_asked_itself() -> None:
    """W4: what the proxy was told is written out, and the file is then read without a warning."""
    text = (
        "[a]\nctx_size = 8k\nmodel = anthropic/claude-x ; dear\nmodel_next = anthropic/claude-y\n"
        "[b]\nbackend = litellm\nmodel = openrouter/x/y\nctx_size = 8k"
    )
    once = migrated(text)
    assert once == (
        "[a]\nctx_size = 8k\nmodel_name = claude-x ; dear\nbackend = openai\n"
        "base_url = https://api.anthropic.com/v1\napi_key_env = ANTHROPIC_API_KEY\n"
        "model_name_next = claude-y\n"
        "[b]\nbackend = openai\nmodel_name = x/y\nbase_url = https://openrouter.ai/api/v1\n"
        "api_key_env = OPENROUTER_API_KEY\nctx_size = 8k"
    )
    loaded = parse_stack(once, "models.ini")
    assert loaded.warnings == ()
    assert [one.hosted.model for one in loaded.stack.tiers if one.hosted] == ["claude-x", "x/y"]


def test_another_provider_behind_the_proxy_needs_a_person() -> None:
    """Nobody can know where an arbitrary LiteLLM model is served; the note says what to write."""
    migration = migrate("[a]\nmodel = vertex_ai/gem\n", "models.ini")
    assert migration.text == "[a]\nmodel = vertex_ai/gem\n"
    assert "models.ini:2" in migration.notes[0]
    assert "base_url" in migration.notes[0]


def test_todays_file_stays_as_it_is() -> None:
    """There is nothing to migrate in what 'init' writes."""
    assert migrate(default_ini(), "models.ini").text == default_ini()


LINES = st.sampled_from(
    [
        "[a]",
        "[b]",
        "[routing]",
        "[DEFAULT]",
        HUB.strip(),
        "role = build",
        "role = chat",
        "tier = subagent",
        "ctx_size = 128,000",
        "ctx_size = 32k",
        "; a comment",
        "",
        "model = bedrock/x",
        "backend = litellm",
        "  continued",
        "garbage",
    ]
)


@given(st.lists(LINES, max_size=14).map("\n".join))
def test_migrating_twice_is_migrating_once_and_keeps_the_meaning(text: str) -> None:
    """No line is lost, and what could be read before is read as the same local tiers after."""
    once = migrated(text)
    assert len(once.splitlines()) == len(text.splitlines())
    try:
        before = parse_stack(text, "models.ini").stack
    except ConfigError:
        return
    assert parse_stack(once, "models.ini").stack.local == before.local
    assert migrated(once) == once
