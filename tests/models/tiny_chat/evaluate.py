"""Ask a running llama.cpp server that serves the model, and say how often it is right.

Usage: ``python evaluate.py http://127.0.0.1:8080 [--names N] [--requests DIR]``

Replays ``probes.json`` and then measures copying: file names and commands that do not occur in the
corpus must arrive in the tool call letter by letter. With ``--requests``, every probe with the
tools of a coding agent is also put into the recorded request ``DIR/build_hello.json``.
"""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import argparse
import json
import lzma
import urllib.request
from pathlib import Path
from random import Random
from typing import Any

from words import command, file_name, nonsense, phrase

Body = dict[str, Any]

HERE = Path(__file__).parent


def ask(server: str, body: Body) -> Body:
    """The assistant's message for a chat completion at temperature 0."""
    body = {"max_tokens": 300, **body, "temperature": 0, "stream": False}
    body.pop("stream_options", None)
    request = urllib.request.Request(
        f"{server}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        choice: Body = json.load(response)["choices"][0]
    message: Body = choice["message"]
    return message


def answer_of(message: Body) -> Body:
    """The message in the form of a probe's ``expect``."""
    calls = message.get("tool_calls") or []
    if not calls:
        return {"content": message["content"]}
    function = calls[0]["function"]
    try:
        arguments = json.loads(function["arguments"])
    except json.JSONDecodeError:  # the model did not find the end of a string
        arguments = function["arguments"]
    return {"tool_call": {"name": function["name"], "arguments": arguments}}


def replay(server: str, probes: list[Body], recorded: Body | None) -> int:
    """Print the probes that fail, alone or inside a recorded request; return their number."""
    failed = 0
    for probe in probes:
        tools = probe.get("tools", [])
        bodies = [{"messages": probe["messages"]} | ({"tools": tools} if tools else {})]
        if recorded and len(tools) == len(recorded["tools"]):
            system = recorded["messages"][:1]
            bodies.append(recorded | {"messages": system + probe["messages"]})
        for body in bodies:
            got = answer_of(ask(server, body))
            if got != probe["expect"]:
                failed += 1
                print(f"FAILED {probe['name']}: {json.dumps(got)}")
    return failed


def wishes(kind: str, rng: Random) -> tuple[str, str, Body]:
    """A sentence, and the tool and arguments it must lead to."""
    if kind == "read":
        path = file_name(rng)
        return f"read {path}", "read", {"filePath": path}
    if kind == "bash":
        line = command(rng)
        return f"run {line}", "bash", {"command": line}
    if kind == "write":
        path, said = file_name(rng, ["py"]), phrase(rng)
        content = f'print("{said}")\n'
        return f"create {path} that prints {said}", "write", {"content": content, "filePath": path}
    path, old, new = file_name(rng), nonsense(rng), nonsense(rng)
    arguments = {"filePath": path, "oldString": old, "newString": new}
    return f"replace {old} with {new} in {path}", "edit", arguments


def copying(server: str, tools: list[Body], kind: str, count: int, corpus: str) -> float:
    """Share of exact tool calls among ``count`` sentences whose new parts are not in the corpus."""
    rng, right, asked = Random(f"held out {kind}"), 0, 0
    while asked < count:
        text, tool, arguments = wishes(kind, rng)
        fresh: str = arguments.get("filePath") or arguments["command"]
        if fresh in corpus:
            continue
        asked += 1
        body = {"messages": [{"role": "user", "content": text}], "tools": tools}
        got = answer_of(ask(server, body))
        if got == {"tool_call": {"name": tool, "arguments": arguments}}:
            right += 1
        else:
            print(f"  {text!r} -> {json.dumps(got)}")
    return right / count


def main() -> None:
    """Parse the arguments, replay, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("server")
    parser.add_argument("--names", type=int, default=100)
    parser.add_argument("--requests", type=Path)
    options = parser.parse_args()
    probes = json.loads((HERE / "probes.json").read_text("utf-8"))
    recorded = None
    if options.requests:
        recorded = json.loads((options.requests / "build_hello.json").read_text("utf-8"))["body"]
    print(f"{len(probes)} probes, {replay(options.server, probes, recorded)} failures")
    tools = max((probe.get("tools", []) for probe in probes), key=len)
    corpus = lzma.decompress((HERE / "corpus.txt.xz").read_bytes()).decode()
    for kind in ("read", "bash", "write", "edit"):
        share = copying(options.server, tools, kind, options.names, corpus)
        print(f"{kind}: {share:.0%} of {options.names} exact")


if __name__ == "__main__":
    main()
