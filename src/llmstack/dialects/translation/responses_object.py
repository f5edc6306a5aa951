"""The response object: what it says of the request, of the tokens and of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import (
        AnswerFormat,
        Conversation,
        Tool,
        ToolChoice,
    )
    from llmstack.dialects.translation.reply import Failed, Origin, Usage

#: Codes of errors that Codex acts upon, beside those of OpenAI's reference.
_CODES = (
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "context_length_exceeded",
    "insufficient_quota",
    "server_is_overloaded",
)
#: What llama-server calls a prompt that is too long.
_TOO_LONG = "exceed_context_size_error"


def settings(origin: Origin, conversation: Conversation) -> dict[str, Any]:
    """The members that stay the same from the first event to the last.

    Instructions are not repeated: they are long, and clients do not read them.
    """
    sampling = conversation.sampling
    return {
        "id": f"resp_{origin.id}",
        "object": "response",
        "created_at": origin.created,
        "model": origin.model,
        "background": False,
        "instructions": None,
        "max_output_tokens": sampling.max_output,
        "metadata": {},
        "parallel_tool_calls": conversation.parallel_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": conversation.effort, "summary": None},
        "store": False,
        "temperature": sampling.temperature,
        "text": {"format": _format(conversation.format)},
        "tool_choice": _choice(conversation.tool_choice, conversation.tools),
        "tools": _tools(conversation.tools),
        "top_p": sampling.top_p,
        "truncation": "disabled",
        "user": conversation.user or None,
    }


def usage(tokens: Usage) -> dict[str, Any]:
    """The tokens."""
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_written,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def error(failed: Failed) -> dict[str, str]:
    """Code and message. Codex waits for as long as the message of a rate limit says."""
    message = failed.message
    if failed.code == _TOO_LONG:
        code = "context_length_exceeded"
    elif failed.code in _CODES:
        code = failed.code
    elif failed.status == 429:
        code = "rate_limit_exceeded"
    else:
        code = "invalid_prompt" if 400 <= failed.status < 500 else "server_error"
    if code == "rate_limit_exceeded" and failed.retry_after is not None:
        message = f"{message} Please try again in {failed.retry_after:g}s."
    return {"code": code, "message": message}


def _format(wanted: AnswerFormat | None) -> dict[str, Any]:
    if wanted is None:
        return {"type": "text"}
    if wanted.schema is None:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "name": wanted.name,
        "schema": wanted.schema,
        "strict": wanted.strict,
    }


def _choice(choice: ToolChoice | None, tools: tuple[Tool, ...]) -> str | dict[str, str]:
    if choice is None:
        return "auto"
    if choice.kind != "named":
        return choice.kind
    for tool in tools:
        if tool.name == choice.name:
            return {"type": "custom" if tool.freeform else "function", "name": tool.name}
    return {"type": "function", "name": choice.name}


def _tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """The tools, under the names that the model knows."""
    return [
        {"type": "custom", "name": tool.name, "description": tool.description}
        if tool.freeform
        else {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.schema,
            "strict": tool.strict,
        }
        for tool in tools
    ]
