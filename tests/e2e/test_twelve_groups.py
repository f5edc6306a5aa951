"""Twelve models in groups: a walk over HTTP through what the configuration promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.e2e.twelve import HF_TOKEN, OPENROUTER_KEY, STUDIO_KEY, Twelve, request, twelve

if TYPE_CHECKING:
    from collections.abc import Iterator

QWEN, GEMMA, OSS, MISTRAL = "qwen3-30b-a3b", "gemma3-27b", "unsloth/gpt-oss-120b", "mistral-small"
CODER, CODER1 = "qwen3-coder:30b", "qwen3-coder:30b-card1"
GROUPS = {
    "coders": {CODER, CODER1},
    "forever": {"bge-m3", "bge-reranker", "whisper"},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twelve]:
    """One engine for the whole file; the tests do not depend on what it has loaded."""
    with twelve(tmp_path_factory.mktemp("groups"), "twelve-models", "groups", "names") as engine:
        engine.settles({"bge-m3", QWEN})  # the preload hook
        yield engine
        engine.swap.process.terminate()
        assert engine.swap.end() == 0
        engine.swap.nothing_left()


def evicted(target: str, running: set[str]) -> set[str]:
    """llama-swap's rule, for a group ``coders`` and one that is persistent and not exclusive."""

    def group(model: str) -> str:
        return next((name for name, members in GROUPS.items() if model in members), "")

    leave = set()
    for model in running - {target}:
        same = group(model) == group(target)
        if same and group(target) == "":  # the default group swaps; the other two do not
            leave.add(model)
        if not same and group(target) != "forever" and group(model) != "forever":
            leave.add(model)
    return leave


def test_who_leaves_for_whom(engine: Twelve) -> None:
    """Top 40, 8: the truth table, for the default group and the asymmetry of exclusive groups."""
    expected = engine.running()
    steps = [GEMMA, "bge-m3", CODER, "whisper", CODER1, "bge-reranker", OSS, CODER, QWEN, "whisper"]
    for model in steps:
        if model not in expected:
            expected = expected - evicted(model, expected) | {model}
        engine.seen(model)
        engine.settles(expected)
    assert expected == {QWEN, *GROUPS["forever"]}


def test_names_of_a_model_and_its_filters(engine: Twelve) -> None:
    """Top 40, 7, 15 and 16: strip, set, set by requested name; without a filter nothing changes."""
    body: dict[str, Any] = {"temperature": 1, "top_k": 2, "keep": [1.0, "x"]}
    assert engine.body_seen("default", **body) == {"model": "default", "keep": [1.0, "x"]}
    for name, thinking in ((QWEN, False), (f"{QWEN}:thinking", True)):
        assert engine.body_seen(name, **body) == {
            "model": name,
            "keep": [1.0, "x"],
            "chat_template_kwargs": {"enable_thinking": thinking},
        }
    assert engine.body_seen("gpt-oss", chat_template_kwargs={"a": 1}) == {
        "model": "gpt-oss",
        "chat_template_kwargs": {"a": 1, "reasoning_effort": "high"},
    }
    assert engine.body_seen("kokoro")["model"] == "tts-1"
    odd = b'{ "model":"gemma3-27b" ,"temperature":1.0e0, "\\u00e4": [ ] }'
    assert engine.call("POST", "/infill", odd).json()["body"].encode() == odd


def test_commands_environments_and_ports(engine: Twelve) -> None:
    """Top 40, 3 to 5: macros of macros, types, comments, no shell; nothing secret is shown."""
    pid = engine.seen(CODER1)["pid"]
    engine.seen(CODER)
    running = {m["model"]: m for m in engine.call("GET", "/running").json()["running"]}
    assert psutil.Process(pid).environ()["CUDA_VISIBLE_DEVICES"] == "1"
    cmd = running[CODER]["cmd"]
    assert "--ctx-size 131072 --temp 0.7 --top-p 0.8 --top-k 20" in " ".join(cmd.split())
    assert "cache-type" not in cmd
    ports = [int(running[model]["proxy"].rpartition(":")[2]) for model in (CODER, CODER1)]
    assert ports[1] == ports[0] + 1, "in the order of the names"
    assert running[CODER]["ttl"] == 600
    engine.seen("vllm-qwen")
    (vllm,) = (m for m in engine.call("GET", "/running").json()["running"] if "vllm" in m["model"])
    assert "--name vllm-qwen" in vllm["cmd"]
    assert HF_TOKEN not in vllm["cmd"]


def test_containers_are_ended_by_their_own_command(engine: Twelve) -> None:
    engine.seen("kokoro")
    assert engine.call("POST", "/api/models/unload/kokoro").data == b"OK"
    assert "kokoro" not in engine.running()
    assert "kokoro" in (engine.root / "stopped").read_text().split()


def test_an_idle_model_leaves_and_others_stay(engine: Twelve) -> None:
    """Top 40, 37: ``ttl`` of the model, 0 for never, else the global one."""
    engine.seen("bge-m3")
    engine.seen(MISTRAL)
    assert MISTRAL in engine.running()
    engine.swap.until(lambda: MISTRAL not in engine.running(), lambda: "it stayed")
    assert "bge-m3" in engine.running()


def test_the_list_of_models(engine: Twelve) -> None:
    """Top 40, 24: listed models, peers' models and selectors, with what they say of themselves."""
    engine.seen(GEMMA)
    rows = engine.call("GET", "/v1/models").json()["data"]
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids)
    by_id = {row["id"]: row for row in rows}
    assert MISTRAL not in ids, "unlisted"
    assert "gpt-4o" not in ids, "aliases are not listed"
    assert len(ids) == 11 + 3 + 4
    qwen = by_id[QWEN]
    assert (qwen["name"], qwen["description"]) == ("Qwen3 30B A3B", "Everyday chat")
    about = qwen["meta"]["llamaswap"]
    assert (about["type"], about["context"], about["quant"]) == ("model", 65536, "Q5_K_XL")
    assert isinstance(about["port"], int)
    assert about["aliases"] == ["gpt-4o-mini", "default", f"{QWEN}:thinking"]
    assert qwen["context_length"] == qwen["meta"]["n_ctx"] == 65536
    assert qwen["capabilities"] == {"function_calling": True}
    assert by_id[GEMMA]["capabilities"] == {"vision": True}
    assert by_id[GEMMA]["status"] == {"value": "loaded"}
    assert by_id["whisper"]["capabilities"] == {"audio_transcriptions": True}
    assert by_id["bge-reranker"]["capabilities"] == {"reranker": True}
    assert by_id["studio/glm-4.6"]["meta"]["llamaswap"]["peerID"] == "studio"
    coder = by_id["coder"]["meta"]["llamaswap"]
    assert (coder["type"], coder["strategy"], coder["spillover"]) == ("selector", "spillover", 2)
    assert by_id["chat"]["status"] == {"value": "loaded"}, "one of its targets is"


def test_peers_get_their_key_their_names_and_their_filters(engine: Twelve) -> None:
    """Top 40, 12: a bare name where one peer has it, else the name of the peer before it."""
    for name in ("glm-4.6", "studio/glm-4.6"):
        seen = engine.body_seen(name, temperature=1, keep=2)
        assert seen == {"model": "glm-4.6", "keep": 2, "provider": {"zdr": True}}
    (there,) = request(engine.studio.port, "GET", "/running", key=STUDIO_KEY).json()["running"]
    assert (there["model"], there["state"]) == ("glm-4.6", "ready")
    seen = engine.seen("z-ai/glm-4.7", temperature=1)
    assert json.loads(seen["body"]) == {"model": "z-ai/glm-4.7", "temperature": 1}
    headers = dict(seen["headers"])
    assert headers["authorization"] == f"Bearer {OPENROUTER_KEY}"
    assert headers["x-api-key"] == OPENROUTER_KEY
    assert seen["path"] == "/api/infill"
    both = engine.call("POST", "/infill", {"model": "deepseek-v3.1"})
    assert both.status == 404, "two peers have it"
    assert engine.body_seen("openrouter/deepseek-v3.1") == {"model": "deepseek-v3.1"}


def test_a_pin_and_a_warm_selector(engine: Twelve) -> None:
    """The first target; the first one that is loaded, else the first."""
    assert json.loads(engine.seen("best")["body"])["model"] == "z-ai/glm-4.7"
    engine.seen(GEMMA)
    assert engine.body_seen("chat")["model"] == GEMMA
    engine.seen(QWEN)
    chat = engine.body_seen("chat")
    assert chat["model"] == f"{QWEN}:thinking"
    assert chat["chat_template_kwargs"] == {"enable_thinking": True}
    engine.seen(MISTRAL)
    assert engine.body_seen("chat")["model"] == "gpt-oss"
    assert OSS in engine.running()


def test_spillover_goes_on_to_the_next_target_when_one_is_busy(engine: Twelve) -> None:
    """Two at one card, two at the other, and then the peer; the next one to the least busy."""
    engine.call("GET", "/unload")
    held = []
    for model, count in ((CODER, 1), (CODER, 2), (CODER1, 1), (CODER1, 2)):
        held.append(engine.hold("coder"))
        engine.waits_for(model, count)
    reply = engine.call("POST", "/infill", {"model": "coder", "keep": 1})
    assert json.loads(reply.json()["body"])["model"] == "glm-4.6"
    engine.let_go(CODER1, 1)
    engine.waits_for(CODER1, 1)
    held.append(engine.hold("coder"))
    engine.waits_for(CODER1, 2)
    engine.let_go(CODER, 2)
    engine.let_go(CODER1, 2)
    assert [each.reply().status for each in held] == [200] * 5


def test_more_than_the_limit_is_refused(engine: Twelve) -> None:
    """Top 40, 18: 429 at once, and only for this model."""
    port = engine.seen(CODER)["port"]
    held = [engine.hold(CODER) for _ in range(4)]
    control = "/control"  # of the server itself: a look through the engine would be one too many
    engine.swap.until(
        lambda: request(port, "GET", control).json()["active"] == 4, lambda: "not all admitted"
    )
    refused = engine.call("POST", "/infill", {"model": CODER})
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "concurrency_limit"
    engine.seen("bge-m3")
    assert request(port, "POST", control, {"release": 4}).status == 200
    assert [each.reply().status for each in held] == [200] * 4


def test_a_profile_changes_what_names_mean(engine: Twelve) -> None:
    """Top 40, 12: profiles first, then selectors; a pin to null is a name for nothing."""

    def activate(name: str | None) -> None:
        reply = engine.call("PUT", "/api/profiles/active", {"name": name})
        assert reply.json() == {"active": name}

    assert {each["id"] for each in engine.call("GET", "/api/profiles").json()["profiles"]} == {
        "travelling",
        "writing",
    }
    try:
        activate("travelling")
        assert engine.body_seen("best")["model"] == "gpt-oss"
        assert engine.body_seen("coder")["model"] == CODER
        gone = engine.call("POST", "/infill", {"model": "glm-4.6"})
        assert gone.status == 404
        assert gone.json()["error"]["message"] == "no model id could be identified"
        activate("writing")
        assert engine.body_seen("claude-sonnet")["model"] == "z-ai/glm-4.7"
        assert engine.call("POST", "/infill", {"model": "whisper-1"}).status == 404
        rows = {row["id"]: row for row in engine.call("GET", "/v1/models").json()["data"]}
        assert rows["claude-sonnet"]["meta"]["llamaswap"]["type"] == "profile"
    finally:
        activate(None)
    assert engine.body_seen("whisper-1")["model"] == "whisper-1"
    assert engine.call("POST", "/infill", {"model": "claude-sonnet"}).status == 404
