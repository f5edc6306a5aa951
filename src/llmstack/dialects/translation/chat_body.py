"""The body of a request for an upstream that speaks chat completions.

Written for what vLLM, OpenRouter, LM Studio, Ollama, TGI and llama-server all take: ``max_tokens``,
results of tools as text, one string where one string says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.chat_messages import mark_object, write_messages
from llmstack.dialects.translation.conversation import EFFORTS, ToolResult, ToolUse, bears_marks
from llmstack.dialects.wire import too_deep
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import (
        AnswerFormat,
        Conversation,
        Effort,
        Tool,
        ToolChoice,
    )


@dataclass(frozen=True, slots=True)
class ChatUpstream:
    """What an upstream takes beyond what all take.

    ``cache_marks``: ``cache_control`` on parts (others pass over it). ``budgets``: OpenRouter's
    ``reasoning.max_tokens``. ``efforts``: the words of ``reasoning_effort``; many a vLLM
    and Ollama refuse others than these, SGLang refuses "none" as well.
    """

    cache_marks: bool = True
    budgets: bool = False
    efforts: tuple[Effort, ...] = ("none", "low", "medium", "high")


#: An upstream of which nothing is known.
PLAIN = ChatUpstream()
#: OpenRouter, which takes everything.
FULL = ChatUpstream(budgets=True, efforts=EFFORTS)


def write_chat(
    conversation: Conversation, *, model: str = "", upstream: ChatUpstream = PLAIN
) -> bytes:
    """The body that asks ``model``, the conversation's own if "", for the answer.

    Usage is always asked for: what a request costs is counted, whether or not the client asks.

    Raises:
        BadRequest: the conversation holds what cannot be written as JSON.
    """
    body: dict[str, Any] = {
        "model": model or conversation.model,
        "messages": write_messages(conversation, marks=upstream.cache_marks),
        "stream": conversation.stream,
        **_sampling(conversation),
        **_thinking(conversation, upstream),
    }
    if conversation.stream:
        body["stream_options"] = {"include_usage": True}
    if conversation.tools:
        marks = upstream.cache_marks
        body["tools"] = [_tool(tool, marks=marks) for tool in conversation.tools]
        # Without tools both are an error at OpenAI and vLLM.
        if conversation.tool_choice is not None:
            body["tool_choice"] = _choice(conversation.tool_choice)
        if conversation.parallel_calls is not None:
            body["parallel_tool_calls"] = conversation.parallel_calls
    if conversation.format is not None:
        body["response_format"] = _format(conversation.format)
    if conversation.user:
        body["user"] = conversation.user
    try:
        return msgspec.json.encode(body)
    except RecursionError:
        raise too_deep() from None
    except (OverflowError, ValueError, msgspec.MsgspecError) as error:
        raise BadRequest(
            "The request holds what JSON cannot say", why=str(error), fix="Send smaller numbers."
        ) from None


def lost_in_chat(conversation: Conversation, upstream: ChatUpstream = PLAIN) -> tuple[str, ...]:
    """What ``write_chat`` does not tell ``upstream``, in OpenAI's words."""
    blocks = [block for turn in conversation.turns for block in turn.blocks]
    failed = any(isinstance(block, ToolResult) and block.error for block in blocks)
    known = (None, *upstream.efforts)
    mute = not conversation.tools
    lost = {
        "tool_result.error": failed,
        "cache_control": any(isinstance(one, ToolUse) and one.cache for one in blocks)
        or (not upstream.cache_marks and bears_marks(conversation)),
        "thinking": conversation.thinking_budget is not None and not upstream.budgets,
        "reasoning_effort": conversation.effort not in known,
        "tool_choice": mute and conversation.tool_choice is not None,
        "parallel_tool_calls": mute and conversation.parallel_calls is not None,
    }
    return tuple(name for name, is_lost in lost.items() if is_lost)


def _sampling(conversation: Conversation) -> dict[str, Any]:
    sampling = conversation.sampling
    told = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "max_tokens": sampling.max_output,
        "stop": list(sampling.stop) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _thinking(conversation: Conversation, upstream: ChatUpstream) -> dict[str, Any]:
    budget, effort = conversation.thinking_budget, conversation.effort
    if budget is not None and upstream.budgets:
        return {"reasoning": {"max_tokens": budget}}
    if budget is not None:
        effort = _effort_of(budget)
    if effort is None or not upstream.efforts:
        return {}
    return {"reasoning_effort": _nearest(effort, upstream.efforts)}


def _effort_of(budget: int) -> Effort:
    """The word for a number of tokens; 1024 is the least that Anthropic takes."""
    if budget >= 4096:
        return "high"
    return "medium" if budget >= 2048 else "low"


def _nearest(effort: Effort, words: tuple[Effort, ...]) -> Effort:
    """``effort`` in the ``words`` that are understood; thinking stays on, or stays off."""
    if effort in words:
        return effort
    wanted = EFFORTS.index(effort)
    thinking = [word for word in words if (word == "none") == (effort == "none")] or words
    return min(thinking, key=lambda word: abs(EFFORTS.index(word) - wanted))


def _tool(tool: Tool, *, marks: bool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    told: dict[str, Any] = {"type": "function", "function": function}
    if marks and tool.cache is not None:
        told["cache_control"] = mark_object(tool.cache)
    return told


def _choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.kind == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.kind


def _format(wanted: AnswerFormat) -> dict[str, Any]:
    if wanted.schema is None:
        return {"type": "json_object"}
    inner: dict[str, Any] = {"name": wanted.name or "answer", "schema": wanted.schema}
    if wanted.strict is not None:
        inner["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": inner}
