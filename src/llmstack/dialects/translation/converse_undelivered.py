"""What a conversation says and its Converse body does not: for the log and the answer's header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import Image, bears_marks

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Conversation

Json = dict[str, Any]

_THINKING = frozenset({"thinking", "reasoning", "reasoning_effort", "reasoningConfig"})


def undelivered(conversation: Conversation, body: Json) -> tuple[str, ...]:
    """Members of ``conversation`` that ``body`` (``write_converse``'s) lacks, in OpenAI's words.

    What the tier's defaults say is not the caller's, so its loss is no news.
    """
    said = {
        **_sampling(conversation, body),
        **_tools(conversation, body),
        **_thinking(conversation, body),
        "cache_control": bears_marks(conversation) and not _keeps_marks(body),
        "system": any(text.text.strip() for text in conversation.system) and "system" not in body,
        "user": bool(conversation.user),
        "image_url.detail": any(
            isinstance(block, Image) and block.detail not in ("", "auto")
            for turn in conversation.turns
            for block in turn.blocks
        ),
    }
    return tuple(name for name, lost in said.items() if lost)


def _keeps_marks(body: Json) -> bool:
    lists = [body.get("toolConfig", {}).get("tools", []), body.get("system", [])]
    lists += [message["content"] for message in body["messages"]]
    return any("cachePoint" in block for blocks in lists for block in blocks)


def _sampling(conversation: Conversation, body: Json) -> dict[str, bool]:
    sampling = conversation.sampling
    config = body.get("inferenceConfig", {})
    extra = body.get("additionalModelRequestFields", {})
    stops = set(sampling.stop) - {""}
    return {
        # One that had to be changed is not what was asked for.
        "temperature": sampling.temperature not in (None, config.get("temperature")),
        "top_p": sampling.top_p not in (None, config.get("topP")),
        "top_k": bool(sampling.top_k) and {"top_k", "inferenceConfig"}.isdisjoint(extra),
        "min_p": bool(sampling.min_p),
        "presence_penalty": bool(sampling.presence_penalty),
        "frequency_penalty": bool(sampling.frequency_penalty),
        "seed": sampling.seed is not None,
        "max_tokens": sampling.max_output is not None and "maxTokens" not in config,
        "stop": not stops.issubset(config.get("stopSequences", [])),
    }


def _tools(conversation: Conversation, body: Json) -> dict[str, bool]:
    if not conversation.tools:
        return {}
    config = body.get("toolConfig", {})
    choice = conversation.tool_choice
    refused = choice is not None and choice.kind == "none"
    told = body.get("additionalModelRequestFields", {}).get("tool_choice")
    specs = [tool["toolSpec"] for tool in config.get("tools", []) if "toolSpec" in tool]
    return {
        "tools": not specs and not refused,
        "tool_choice": choice is not None
        and choice.kind in ("required", "named")
        and "toolChoice" not in config
        and not (told and told["type"] != "auto"),
        "parallel_tool_calls": conversation.parallel_calls is False and not told and not refused,
        "strict": any(tool.strict for tool in conversation.tools)
        and bool(specs)
        and not any("strict" in spec for spec in specs),
    }


def _thinking(conversation: Conversation, body: Json) -> dict[str, bool]:
    lost = _THINKING.isdisjoint(body.get("additionalModelRequestFields", {}))
    return {
        "reasoning_effort": conversation.effort not in (None, "none") and lost,
        "thinking": bool(conversation.thinking_budget) and lost,
    }
