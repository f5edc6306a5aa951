"""``engine = llama-swap``: another program runs the models, behind the same gateway.

The program is an executable called llama-swap that runs ``llmstack swap``: being a drop-in cuts
both ways. It is started as the real one is, and asked only what the real one answers.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stack import Stack, eventually, models_ini, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLES = {"code-fast": "fast", "code-smart": "agent", "plan": "plan"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "llama-swap"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m llmstack swap "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def stack(tmp_path: Path, tiny_chat: Path, program: Path) -> Iterator[Stack]:
    tiers = {
        name: {"role": role, "path": str(tiny_chat), "ctx_size": "8192"}
        for name, role in ROLES.items()
    }
    with Stack(tmp_path / "work", models_ini(tiers, engine="llama-swap")) as stack:
        started = stack.command("start", LLMSTACK_BIN_DIR=str(program.parent))
        assert started.returncode == 0, started.stderr
        yield stack


def content(answer: Any) -> str:
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def test_the_gateway_routes_and_the_program_swaps(stack: Stack) -> None:
    """auto, names, aliases and streams work; the models are children of the program."""
    planned = stack.chat("auto", "How should we design a cache?")
    assert planned.status == 200, planned.body
    assert planned.headers["x-llmstack-reason"].startswith("plan words")
    assert content(planned)
    assert stack.chat("coder", "hello").status == 200
    with stack.stream(
        "/v1/chat/completions",
        {"model": "code-fast", "messages": [{"role": "user", "content": "hello"}]},
    ) as answer:
        assert answer.status == 200
        assert b"data: [DONE]" in answer.read()
    running = stack.request("GET", "/running").json()["running"]
    assert "code-fast" in {row["model"] for row in running}
    ids = [row["id"] for row in stack.request("GET", "/v1/models").json()["data"]]
    assert ids[0] == "auto"
    assert {"code-fast", "code-smart", "plan", "coder"} <= set(ids)


def test_keys_keep_their_scope_although_the_program_knows_none(stack: Stack) -> None:
    """As if from elsewhere: what a key is not for is not reached past the gateway either."""
    keys = {}
    for name, options in (("guest", ("--models", "coder")), ("plain", ()), ("boss", ("--admin",))):
        made = stack.command("keys", "add", name, *options)
        assert made.returncode == 0, made.stderr
        keys[name] = made.stdout.strip()

    def status(who: str, method: str, path: str, body: Any = None) -> int:
        headers = {"x-api-key": keys.get(who, ""), "x-forwarded-for": "192.0.2.1"}
        with closing(http.client.HTTPConnection("127.0.0.1", stack.ports[0], 60)) as link:
            link.request(method, path, None if body is None else json.dumps(body), headers)
            with link.getresponse() as answer:
                answer.read()
                return answer.status

    def chat(who: str, model: str, path: str = "/v1/chat/completions") -> int:
        messages = [{"role": "user", "content": "hello"}]
        return status(who, "POST", path, {"model": model, "messages": messages, "max_tokens": 4})

    assert chat("nobody", "coder") == 401
    assert chat("guest", "coder") == 200
    assert chat("plain", "plan") == 200
    for path in ("/v1/chat/completions", "/v1/rerank", "/v1/audio/speech", "/infill"):
        assert chat("guest", "plan", path) == 403
    for path in ("/running", "/unload", "/logs", "/metrics", "/api/keys", "/api/events"):
        assert status("plain", "GET", path) == 403
        assert status("guest", "GET", path) == 403
    assert status("guest", "GET", "/upstream/plan/health") == 403
    assert status("boss", "GET", "/running") == 200
    assert status("nobody", "GET", "/health") == 200
    assert status("nobody", "OPTIONS", "/running") == 204


def test_what_is_not_the_gateways_own_reaches_the_program(stack: Stack) -> None:
    """Its operations, its model prefix and its errors, as on its own port."""
    assert stack.request("GET", "/upstream/plan/health").status == 200
    assert stack.request("GET", "/unload").body == b"OK"
    assert stack.request("GET", "/running").json() == {"running": []}
    missing = stack.chat("nobody", "hello")
    assert missing.status == 404
    assert missing.json()["error"]["message"]


def test_a_killed_program_is_started_again(stack: Stack) -> None:
    """The next request works, and nothing of the old one is left."""
    before = stack.model("llama-swap")["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.model("llama-swap")["pid"] != before, "it is noticed")
    assert stack.chat("plan", "hello").status == 200
    assert stack.model("llama-swap")["pid"] not in (None, before)


def test_stop_leaves_nothing(stack: Stack) -> None:
    """The program, its guard and its models go with the daemon."""
    assert stack.chat("plan", "hello").status == 200
    assert stack.command("stop").returncode == 0
    assert not processes_of(stack.root)
    assert not stack.listening()


def test_without_the_program_the_error_says_how_to_get_it(tmp_path: Path, tiny_chat: Path) -> None:
    """Nothing is started in its place."""
    ini = models_ini({"a": {"path": str(tiny_chat)}}, engine="llama-swap")
    with Stack(tmp_path / "work", ini) as stack:
        empty = {"LLMSTACK_BIN_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
        started = stack.command("start", **empty)
        assert started.returncode == 1
        assert "llmstack install-llama-swap" in started.stderr
