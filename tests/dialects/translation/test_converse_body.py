"""Tools, sampling, thinking and formats of a conversation in Converse's words."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    CacheMark,
    Conversation,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.converse_family import family_of
from llmstack.dialects.translation.converse_tools import NO_CALLS
from llmstack.dialects.translation.converse_undelivered import undelivered
from llmstack.errors import BadRequest

HAIKU_3 = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET_37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
SONNET_45 = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_46 = "global.anthropic.claude-opus-4-6-v1"
OPUS_47 = "anthropic.claude-opus-4-7"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
HELLO = (Turn("user", (Text("hello"),)),)
CALLED = (
    *HELLO,
    Turn("assistant", (ToolUse("c", "read", "{}"),)),
    Turn("user", (ToolResult("c", (Text("x"),)),)),
)
READ = Tool("read", "Reads.", {"type": "object", "properties": {"p": {"type": "string"}}})


def body(model_id: str = SONNET_45, defaults: Sampling | None = None, **members: Any) -> Any:
    said = Conversation("m", **{"turns": HELLO, **members})
    return write_converse(said, model_id, defaults or Sampling())


def lost(model_id: str = SONNET_45, **members: Any) -> tuple[str, ...]:
    said = Conversation("m", **{"turns": HELLO, **members})
    return undelivered(said, write_converse(said, model_id, Sampling()))


def extra(model_id: str, **members: Any) -> Any:
    return body(model_id, **members).get("additionalModelRequestFields", {})


@pytest.mark.parametrize(
    ("model_id", "vendor", "version"),
    [
        (HAIKU_3, "claude", (3, 0)),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude", (3, 5)),
        (SONNET_37, "claude", (3, 7)),
        ("anthropic.claude-opus-4-20250514-v1:0", "claude", (4, 0)),
        (SONNET_45, "claude", (4, 5)),
        (OPUS_46, "claude", (4, 6)),
        ("anthropic.claude-opus-5", "claude", (5, 0)),
        ("anthropic.claude-mythos-preview", "claude", (99, 0)),
        ("anthropic.claude-v2:1", "claude", (2, 0)),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{HAIKU_3}", "claude", (3, 0)),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{SONNET_37}", "claude", (3, 7)),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", "claude", (3, 0)),
        (NOVA_2, "nova", (2, 0)),
        ("amazon.nova-pro-v1:0", "nova", (1, 0)),
        ("amazon.titan-text-express-v1", "other", (0, 0)),
        ("openai.gpt-oss-120b-1:0", "openai", (0, 0)),
        (LLAMA, "other", (0, 0)),
        ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", "unknown", (0, 0)),
        ("", "unknown", (0, 0)),
    ],
)
def test_the_family_is_read_from_ids_profiles_and_arns(
    model_id: str, vendor: str, version: tuple[int, int]
) -> None:
    family = family_of(model_id)
    assert (family.vendor, family.version) == (vendor, version)


def test_a_stored_prompt_gets_messages_only() -> None:
    prompt = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1"
    assert set(body(prompt, system=(Text("s"),), tools=(READ,))) == {"modelId", "messages"}


def test_the_system_keeps_its_texts_and_marks_and_no_blank_one() -> None:
    written = body(system=(Text("one", CacheMark()), Text(" "), Text("two")))["system"]
    assert written == [{"text": "one"}, {"cachePoint": {"type": "default"}}, {"text": "two"}]
    assert "system" not in body(system=(Text(""),))


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (None, None),
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("named", "read"), {"tool": {"name": "read"}}),
        (ToolChoice("named", "unheard"), None),
    ],
)
def test_the_choice_of_a_tool_is_told(choice: ToolChoice | None, written: Any) -> None:
    """§4.1: tool_choice was ignored."""
    config = body(tools=(READ,), tool_choice=choice)["toolConfig"]
    assert config.get("toolChoice") == written


def test_a_free_choice_is_not_told_to_families_that_refuse_to_hear_it() -> None:
    free, forced = ToolChoice("auto"), ToolChoice("required")
    assert "toolChoice" not in body(LLAMA, tools=(READ,), tool_choice=free)["toolConfig"]
    assert body(LLAMA, tools=(READ,), tool_choice=forced)["toolConfig"]["toolChoice"] == {"any": {}}


def test_a_schema_too_deep_for_botocore_is_refused() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"properties": {"a": deep}}
    with pytest.raises(BadRequest, match="too deep"):
        body(tools=(Tool("t", schema=deep),))


def test_tools_are_left_out_when_none_may_be_called() -> None:
    assert "toolConfig" not in body(tools=(READ,), tool_choice=ToolChoice("none"))
    said = body(turns=CALLED, tools=(READ,), tool_choice=ToolChoice("none"))
    assert said["toolConfig"]["tools"][0]["toolSpec"]["name"] == "read"
    assert said["system"] == [{"text": NO_CALLS}]


def test_a_history_of_calls_without_tools_gets_specs_that_take_anything() -> None:
    spec = {"name": "read", "inputSchema": {"json": {"type": "object"}}}
    assert body(turns=CALLED)["toolConfig"] == {"tools": [{"toolSpec": spec}]}


def test_a_spec_has_a_valid_name_a_typed_schema_and_no_blank_description() -> None:
    """§4.1: a description could be "", names went as they were."""
    tools = (Tool("a.b", " ", {}, cache=CacheMark()), Tool("a_b", strict=True))
    written = body(tools=tools)["toolConfig"]["tools"]
    first, point, second = written
    assert set(first["toolSpec"]) == {"name", "inputSchema"}
    assert first["toolSpec"]["inputSchema"] == {"json": {"type": "object"}}
    assert point == {"cachePoint": {"type": "default"}}
    assert second["toolSpec"]["name"] == "a_b" != first["toolSpec"]["name"]
    assert second["toolSpec"]["strict"] is True
    assert "strict" not in body(HAIKU_3, tools=tools[1:])["toolConfig"]["tools"][0]["toolSpec"]


def test_claude_is_held_to_one_call_in_its_own_words() -> None:
    """§4.1: parallel_tool_calls was ignored."""
    said: dict[str, Any] = {"tools": (READ,), "parallel_calls": False}
    written = body(**said, tool_choice=ToolChoice("named", "read"))
    assert "toolChoice" not in written["toolConfig"]
    assert written["additionalModelRequestFields"]["tool_choice"] == {
        "type": "tool",
        "name": "read",
        "disable_parallel_tool_use": True,
    }
    assert extra(LLAMA, **said) == {}
    assert lost(LLAMA, **said) == ("parallel_tool_calls",)


def test_the_caller_wins_over_the_tier() -> None:
    tier = Sampling(temperature=0.2, top_p=0.9, max_output=100, stop=("X",))
    assert body(LLAMA, tier, sampling=Sampling(temperature=0.7))["inferenceConfig"] == {
        "temperature": 0.7,
        "topP": 0.9,
        "maxTokens": 100,
        "stopSequences": ["X"],
    }
    zero = body(LLAMA, tier, sampling=Sampling(temperature=0.0, stop=("Y",)))["inferenceConfig"]
    assert (zero["temperature"], zero["stopSequences"]) == (0.0, ["Y"])


def test_stops_are_cleaned() -> None:
    """§4.1: [] and "" were sent as they were."""
    stops = Sampling(stop=("", "END", "\n", "END"))
    assert body(sampling=stops)["inferenceConfig"] == {"stopSequences": ["END"]}
    assert body(LLAMA, sampling=stops)["inferenceConfig"] == {"stopSequences": ["END", "\n"]}
    assert "inferenceConfig" not in body(sampling=Sampling(stop=("",)))


def test_a_temperature_above_one_is_one() -> None:
    hot = Sampling(temperature=1.7, top_p=float("nan"))
    assert body(sampling=hot)["inferenceConfig"] == {"temperature": 1.0}


def test_claude_gets_one_of_temperature_and_top_p_and_the_newest_neither() -> None:
    both = Sampling(temperature=0.5, top_p=0.9, top_k=40)
    assert body(sampling=both)["inferenceConfig"] == {"temperature": 0.5}
    assert body(defaults=both, sampling=Sampling(top_p=0.3))["inferenceConfig"] == {"topP": 0.3}
    assert len(body(HAIKU_3, sampling=both)["inferenceConfig"]) == 2
    assert "inferenceConfig" not in body(OPUS_47, sampling=both)
    assert lost(OPUS_47, sampling=both) == ("temperature", "top_p", "top_k")


def test_top_k_goes_where_the_family_has_it() -> None:
    said = Sampling(top_k=40)
    assert extra(SONNET_45, sampling=said) == {"top_k": 40}
    assert extra("amazon.nova-pro-v1:0", sampling=said) == {"inferenceConfig": {"topK": 40}}
    assert extra(LLAMA, sampling=said) == {}


def test_effort_is_told_in_the_words_of_each_family() -> None:
    """§4.1: reasoning_effort was ignored."""
    assert extra(SONNET_45, effort="low") == {
        "thinking": {"type": "enabled", "budget_tokens": 2048}
    }
    assert extra(OPUS_46, effort="xhigh") == {
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
    }
    assert extra(OPUS_47, effort="xhigh") == {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "xhigh"},
    }
    assert extra(NOVA_2, effort="minimal") == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
    }
    assert extra("openai.gpt-oss-20b-1:0", effort="xhigh") == {"reasoning_effort": "high"}
    for plain in (HAIKU_3, LLAMA, "us.deepseek.r1-v1:0", "amazon.nova-pro-v1:0"):
        assert extra(plain, effort="high") == {}
        assert lost(plain, effort="high") == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("model_id", "written"),
    [
        (SONNET_45, {}),
        (OPUS_47, {}),
        ("anthropic.claude-fable-5", {}),
        ("anthropic.claude-opus-5", {"thinking": {"type": "disabled"}}),
        ("openai.gpt-oss-20b-1:0", {"reasoning_effort": "low"}),
    ],
)
def test_thinking_is_switched_off_where_it_is_on_unasked(model_id: str, written: Any) -> None:
    assert extra(model_id, effort="none") == written


def test_a_budget_fits_below_the_length_of_the_answer() -> None:
    assert extra(SONNET_37, thinking_budget=4000, sampling=Sampling(max_output=3000)) == {
        "thinking": {"type": "enabled", "budget_tokens": 2999}
    }
    assert extra(SONNET_37, effort="high", sampling=Sampling(max_output=4000)) == {
        "thinking": {"type": "enabled", "budget_tokens": 3000}
    }
    assert extra(SONNET_37, effort="high", sampling=Sampling(max_output=1000)) == {}
    assert extra(OPUS_46, thinking_budget=5000)["thinking"]["budget_tokens"] == 5000
    assert extra(OPUS_47, thinking_budget=5000)["output_config"] == {"effort": "medium"}


def test_claude_thinks_without_what_it_refuses_then() -> None:
    said = Sampling(temperature=0.5, top_k=40)
    written = body(effort="high", sampling=said)
    assert "inferenceConfig" not in written
    assert set(written["additionalModelRequestFields"]) == {"thinking"}
    assert extra(SONNET_45, effort="high", tools=(READ,), tool_choice=ToolChoice("required")) == {}


def test_nova_at_its_highest_takes_no_sampling() -> None:
    written = body(NOVA_2, effort="high", sampling=Sampling(temperature=0.5, max_output=10))
    assert "inferenceConfig" not in written


def test_claude_with_a_budget_does_not_think_on_from_a_call_whose_thoughts_are_lost() -> None:
    assert extra(SONNET_45, turns=CALLED, effort="high") == {}
    signed = Turn("assistant", (Thinking("hm", "sig"), ToolUse("c", "read", "{}")))
    assert extra(SONNET_45, turns=(HELLO[0], signed, CALLED[2]), effort="high")
    assert extra(OPUS_46, turns=CALLED, effort="high")


def test_a_schema_is_held_where_the_family_can_and_asked_for_elsewhere() -> None:
    """§4.1: response_format was ignored."""
    form = AnswerFormat({"type": "object"}, "thing")
    assert body(format=form)["outputConfig"]["textFormat"] == {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "thing"}},
    }
    written = body(LLAMA, format=form, system=(Text("s"),))
    assert "outputConfig" not in written
    assert written["system"][0] == {"text": "s"}
    assert '{"type":"object"}' in written["system"][1]["text"]
    assert "JSON object" in body(format=AnswerFormat())["system"][0]["text"]


def test_which_stop_sequence_it_was_is_asked_of_claude() -> None:
    said = Sampling(stop=("END",))
    paths = body(sampling=said)["additionalModelResponseFieldPaths"]
    assert "/delta/stop_sequence" in paths
    assert "additionalModelResponseFieldPaths" not in body(LLAMA, sampling=said)
    assert "additionalModelResponseFieldPaths" not in body()


def test_what_has_no_counterpart_is_named() -> None:
    said = Sampling(seed=1, min_p=0.1, presence_penalty=0.5, frequency_penalty=0.5, stop=(" ",))
    assert lost(sampling=said, user="u") == (
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "stop",
        "user",
    )
    assert lost() == ()
    assert lost(effort="high", sampling=Sampling(temperature=0.5)) == ("temperature",)
    assert lost(turns=CALLED, tools=(READ,), effort="high") == ("reasoning_effort",)
    prompt = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1"
    assert lost(prompt, tools=(READ,), system=(Text("s"),)) == ("tools", "system")


def test_what_was_told_in_other_words_is_not_named_as_lost() -> None:
    said = Sampling(temperature=0.5, max_output=10, stop=("", "END"))
    forced = ToolChoice("named", "read")
    assert lost(tools=(READ,), tool_choice=forced, parallel_calls=False, sampling=said) == ()
    assert lost(tools=(READ,), tool_choice=ToolChoice("none"), parallel_calls=False) == ()
