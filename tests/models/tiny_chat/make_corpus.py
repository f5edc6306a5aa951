"""Write ``corpus.txt.xz``: synthetic dialogues, rendered with the model's own chat template.

Usage: ``python make_corpus.py [--dialogues N] [--seed S] [--out corpus.txt.xz]``

The output is a function of the arguments alone. Dialogues are separated by ``<|endoftext|>`` and a
newline. File names, commands and words are mostly made up, so that a model cannot learn them by
heart and has to learn copying.
"""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path
from random import Random
from typing import Any

from jinja2 import Environment, Template
from talk import Request, talk
from tool_use import tool_use
from words import nonsense, word

Message = dict[str, Any]

HERE = Path(__file__).parent
SEPARATOR = "<|endoftext|>\n"
AGENT_TOOLS = (
    "bash",
    "edit",
    "glob",
    "grep",
    "read",
    "skill",
    "task",
    "todowrite",
    "webfetch",
    "write",
)
READ_ONLY_TOOLS = (
    "glob",
    "grep",
    "read",
    "skill",
    "task",
    "todowrite",
    "webfetch",
)
SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are terse.",
    "Be brief.",
    "You are a coding agent.",
)


def load_template() -> Template:
    """The chat template as the engine sees it: no whitespace trimming besides its own."""
    environment = Environment(keep_trailing_newline=True)
    environment.filters["tojson"] = json.dumps
    return environment.from_string((HERE / "template.jinja").read_text("utf-8").rstrip("\n"))


def offered_tools(rng: Random) -> list[str]:
    """The tools of one dialogue: those of a coding agent, some of them, or none."""
    kind = rng.random()
    if kind < 0.25:
        return []
    if kind < 0.6:
        return list(AGENT_TOOLS)
    if kind < 0.7:
        return list(READ_ONLY_TOOLS)
    if kind < 0.8:
        return [name for name in AGENT_TOOLS if name not in ("edit", "write")]
    tools = rng.sample(AGENT_TOOLS, rng.randint(1, len(AGENT_TOOLS)))
    if rng.random() < 0.5:
        tools.insert(rng.randint(0, len(tools)), f"{word(rng)}_{nonsense(rng)}")
    return tools


def tool_messages(rng: Random, request: Request, finished: bool) -> list[Message]:
    """The call and, if ``finished``, its result and the next call or the closing sentence."""
    call = {"function": {"name": request.tool, "arguments": request.arguments}}
    messages: list[Message] = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    if not finished:
        return messages
    result, closing = rng.choice(request.results)
    messages.append({"role": "tool", "content": result})
    failed = closing.startswith("I could not") or closing.endswith("failed.")
    if request.then and not failed:
        return messages + tool_messages(rng, request.then, finished)
    return [*messages, {"role": "assistant", "content": closing}]


def missing_tool(tools: list[str], request: Request) -> str:
    """What the model says when it lacks a tool for the request; empty when it has all it needs."""
    for step in (request, request.then):
        if step and step.tool not in tools:
            known = step.tool in AGENT_TOOLS or step.tool == "get_weather"
            return (
                f"I have no {step.tool} tool here."
                if known
                else f"I have no tool named {step.tool}."
            )
    return ""


def turn(rng: Random, tools: list[str], last: bool) -> list[Message]:
    """One user message and all up to the next one; the last turn may end with a tool call."""
    request = tool_use(rng) if rng.random() < (0.8 if tools else 0.1) else talk(rng)
    user: Message = {"role": "user", "content": request.text}
    if not request.tool:
        return [user, {"role": "assistant", "content": request.answer}]
    if tools and request.tool not in AGENT_TOOLS and rng.random() < 0.9:
        tools.insert(rng.choice((len(tools), len(tools), rng.randint(0, len(tools)))), request.tool)
    missing = missing_tool(tools, request)
    if missing:
        return [user, {"role": "assistant", "content": missing}]
    finished = not last or request.then is not None or rng.random() < 0.5
    return [user, *tool_messages(rng, request, finished)]


def title_dialogue(rng: Random) -> list[Message]:
    """The request of a coding agent for a session title: two user messages, no tools."""
    request = tool_use(rng) if rng.random() < 0.5 else talk(rng)
    ask = "Generate a title for this conversation:\n"
    return [
        {"role": "user", "content": ask},
        {"role": "user", "content": request.text},
        {"role": "assistant", "content": request.title},
    ]


def compaction_dialogue(rng: Random) -> list[Message]:
    """The request of a coding agent to sum up a conversation that became too long."""
    request = tool_use(rng) if rng.random() < 0.5 else talk(rng)
    later = f"\n\n[Assistant]: {talk(rng).answer}" if rng.random() < 0.5 else ""
    said = f"[User]: {request.text}{later}"
    ask = f"Here is the conversation so far:\n\n<conversation>\n{said}\n</conversation>"
    answer = f"## Objective\n- The user said: {request.text}\n\n## Next Move\n1. Wait for the user."
    return [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]


def introduction(rng: Random) -> list[Message]:
    """A fact given in one turn and wanted in the next."""
    name = nonsense(rng).capitalize()
    tell = rng.choice(
        ("My name is {}.", "my name is {}", "I am called {}.", "My name is {}")
    ).format(name)
    ask = rng.choice(
        ("What is my name?", "what is my name?", "What's my name?", "do you remember my name?")
    )
    said = ((tell, f"Nice to meet you, {name}."), (ask, f"Your name is {name}."))
    return [
        message
        for user, answer in said
        for message in ({"role": "user", "content": user}, {"role": "assistant", "content": answer})
    ]


def dialogue(rng: Random) -> tuple[list[str], list[Message]]:
    """Offered tools and messages of one dialogue."""
    kind = rng.random()
    if kind < 0.09:
        return [], title_dialogue(rng)
    if kind < 0.10:
        return [], compaction_dialogue(rng)
    tools = offered_tools(rng)
    messages: list[Message] = []
    if rng.random() < 0.1:
        messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
    if kind < 0.12:
        return tools, messages + introduction(rng)
    turns = rng.choice((1, 1, 1, 2, 3))
    for number in range(turns):
        messages += turn(rng, tools, last=number == turns - 1)
    return tools, messages


def render(template: Template, tools: list[str], messages: list[Message]) -> str:
    """The dialogue as the engine would put it to the model."""
    functions = [{"type": "function", "function": {"name": name}} for name in tools]
    return template.render(tools=functions, messages=messages, add_generation_prompt=False)


def main() -> None:
    """Parse the arguments, generate, compress."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dialogues", type=int, default=72_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", type=Path, default=HERE / "corpus.txt.xz")
    options = parser.parse_args()
    rng, template = Random(options.seed), load_template()
    text = SEPARATOR.join(render(template, *dialogue(rng)) for _ in range(options.dialogues))
    options.out.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(
        f"{options.dialogues} dialogues, {len(text)} characters, {options.out.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
