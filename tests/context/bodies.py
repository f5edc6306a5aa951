"""Bodies of three APIs from one script of turns, and a ruler for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.history import Api, History

PATHS: dict[Api, str] = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}
APIS: tuple[Api, ...] = ("chat", "messages", "responses")


@dataclass(frozen=True)
class Use:
    """One call of a tool and its result; None is a call that is still open."""

    result: str | None
    tool: str = "read"
    path: str = "src/a.py"


#: Who speaks, and what: a text, or calls.
Turn = tuple[str, "str | tuple[Use, ...]"]


@dataclass(frozen=True)
class Counted:
    front: float
    units: tuple[float, ...]


def measure(history: History) -> Counted:
    """Four characters a token, four tokens an item, and a thousand a picture."""
    return Counted(
        (history.front_chars + history.tools_chars) / 4 + 4,
        tuple(
            (unit.text_chars + unit.other_chars) / 4
            + 4 * (unit.end - unit.start)
            + 1000 * unit.images
            for unit in history.units
        ),
    )


def total(history: History) -> float:
    counted = measure(history)
    return counted.front + sum(counted.units)


def body(api: Api, turns: Sequence[Turn], *, system: str = "", **members: Any) -> bytes:
    """A request with these turns. Each object has a member that no API knows."""
    items: list[Any] = []
    if system and api == "chat":
        items.append({"role": "system", "content": system})
    for number, (who, what) in enumerate(turns):
        if isinstance(what, str):
            items.append({"role": who, "content": what, "x_keep": number})
        else:
            items += _ROUNDS[api](number, what)
    request = {"model": "m", "x_top": {"b": 1, "a": [1.0, 2]}, "temperature": 0, **members}
    if system and api != "chat":
        request["system" if api == "messages" else "instructions"] = system
    request["input" if api == "responses" else "messages"] = items
    return msgspec.json.encode(request)


def items_of(api: Api, request: bytes) -> list[Any]:
    items = msgspec.json.decode(request)["input" if api == "responses" else "messages"]
    assert isinstance(items, list)
    return items


def _chat(number: int, uses: tuple[Use, ...]) -> list[Any]:
    calls = [
        {
            "id": f"call_{number}_{k}",
            "type": "function",
            "function": {"name": use.tool, "arguments": _arguments(use).decode()},
        }
        for k, use in enumerate(uses)
    ]
    results = [
        {"role": "tool", "tool_call_id": f"call_{number}_{k}", "content": use.result, "x_r": k}
        for k, use in enumerate(uses)
        if use.result is not None
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


def _messages(number: int, uses: tuple[Use, ...]) -> list[Any]:
    calls = [
        {"type": "tool_use", "id": f"call_{number}_{k}", "name": use.tool}
        | {"input": {"path": use.path}}
        for k, use in enumerate(uses)
    ]
    results = [
        {"type": "tool_result", "tool_use_id": f"call_{number}_{k}", "content": use.result}
        for k, use in enumerate(uses)
        if use.result is not None
    ]
    turn: list[Any] = [{"role": "assistant", "content": calls}]
    return [*turn, {"role": "user", "content": results}] if results else turn


def _responses(number: int, uses: tuple[Use, ...]) -> list[Any]:
    calls = [
        {"type": "function_call", "call_id": f"call_{number}_{k}", "name": use.tool}
        | {"arguments": _arguments(use).decode()}
        for k, use in enumerate(uses)
    ]
    results = [
        {"type": "function_call_output", "call_id": f"call_{number}_{k}", "output": use.result}
        for k, use in enumerate(uses)
        if use.result is not None
    ]
    thought = {"type": "reasoning", "id": f"rs_{number}", "summary": []}
    return [thought, *calls, *results]


def _arguments(use: Use) -> bytes:
    return msgspec.json.encode({"path": use.path})


_ROUNDS = {"chat": _chat, "messages": _messages, "responses": _responses}


def calls_and_results(api: Api, request: bytes) -> tuple[list[str], list[str]]:
    """The ids of all calls and of all results, in order."""
    calls: list[str] = []
    results: list[str] = []
    for item in items_of(api, request):
        if not isinstance(item, dict):
            continue
        calls += [call["id"] for call in item.get("tool_calls", ())]
        results += [item["tool_call_id"]] if "tool_call_id" in item else []
        if item.get("type") == "function_call":
            calls.append(item["call_id"])
        if item.get("type") == "function_call_output":
            results.append(item["call_id"])
        for block in item["content"] if isinstance(item.get("content"), list) else ():
            if block["type"] == "tool_use":
                calls.append(block["id"])
            if block["type"] == "tool_result":
                results.append(block["tool_use_id"])
    return calls, results


_long = st.builds(
    lambda word, times, lines: (word * times + "\n") * lines,
    st.sampled_from(["abcd ", "    return x\n", "{}", "héllo ", "漢字"]),
    st.integers(1, 60),
    st.integers(1, 12),
)
_texts = st.one_of(st.sampled_from(["continue", "yes", "do it"]), _long)
_uses = st.builds(
    Use,
    st.one_of(_long, st.sampled_from(["ok", "x = 1\n" * 120, "same line\n" * 90])),
    st.sampled_from(["read", "bash"]),
    st.sampled_from(["a.py", "b.py"]),
)
_turns: st.SearchStrategy[Turn] = st.one_of(
    st.tuples(st.just("user"), _texts),
    st.tuples(st.just("assistant"), _texts),
    st.tuples(st.just("round"), st.lists(_uses, min_size=1, max_size=3).map(tuple)),
)
#: Conversations that begin with a user's task and end with a user's turn or a round.
conversations: st.SearchStrategy[list[Turn]] = st.builds(
    lambda task, middle, end: [("user", f"task {task}"), *middle, end],
    _texts,
    st.lists(_turns, max_size=24),
    st.one_of(
        st.tuples(st.just("user"), _texts),
        st.tuples(st.just("round"), st.lists(_uses, min_size=1, max_size=3).map(tuple)),
    ),
)
