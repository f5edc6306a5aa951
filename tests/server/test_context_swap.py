"""Context control of ``llmstack swap``: files that are read again, and where overrides are kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cli.swaps import Swap, config, free_run, swapping
from tests.server.context_house import program

if TYPE_CHECKING:
    from pathlib import Path

SIZE = "/api/model/{}/ctxsize"


def servers(root: Path, more: str = "", **flags: str) -> str:
    """A configuration of models that are started as llama-server is, with these flags."""
    lines = [f"startPort: {free_run()}", more, "models:"]
    for name, flag in flags.items():
        command = f"{program(root)} --port ${{PORT}} {flag}"
        lines += [f"  {name}:", f"    cmd: {json.dumps(command)}"]
    members = f"[{', '.join(flags)}]"
    lines.append(f"groups: {{all: {{swap: false, exclusive: false, members: {members}}}}}")
    return "\n".join(lines) + "\n"


def pid(swap: Swap, model: str) -> Any:
    return swap.ask(f"/upstream/{model}/x")[1]["pid"]


def test_a_reload_answers_what_became_of_it_and_reaches_models_and_groups(tmp_path: Path) -> None:
    """B14, B22: groups were not rebuilt, and a second reload stopped every model."""
    text = servers(tmp_path, a="-c 1024", b="-c 1024")
    with swapping(tmp_path, text, "-watch-config") as swap:
        path = swap.ask("/api/config/path")[1]["configPath"]
        assert path.endswith("config.yaml")
        before = {name: pid(swap, name) for name in ("a", "b")}
        changed = text.replace("-c 1024", "-c 2048", 1).replace("[a, b]", "[a, b, new]")
        new = json.dumps(f"{program(tmp_path)} --port ${{PORT}}")
        changed = changed.replace("groups:", f"  new:\n    cmd: {new}\ngroups:")
        (tmp_path / "config.yaml").write_text("startPort: 0\n")
        status, answer = swap.ask("/api/config/reload", {})
        assert (status, "config.yaml:1" in json.dumps(answer)) == (400, True)
        (tmp_path / "config.yaml").write_text(changed)
        status, answer = swap.ask("/api/config/reload", {})
        assert (status, answer.keys()) == (200, {"msg", "detail"})
        assert swap.ask(SIZE.format("a"))[1]["configured"] == 2048
        after = {name: pid(swap, name) for name in ("a", "b", "new")}
        assert after["b"] == before["b"]
        assert after["a"] != before["a"]
        swap.said("configuration reloaded", times=2)  # the watcher's own: nothing changes
        assert {name: pid(swap, name) for name in after} == after


def test_an_override_holds_across_a_reload_that_does_not_stop_its_model(tmp_path: Path) -> None:
    text = servers(tmp_path, a="-c 1024", b="")
    with swapping(tmp_path, text) as swap:
        first = pid(swap, "a")
        told = swap.ask(SIZE.format("a"), {"ctxSize": 4096})[1]
        assert told["pending_restart"]
        assert not told["persisted"]
        assert "memory" in told["note"]
        changed = text.replace("models:", "globalTTL: 600\nmodels:")
        (tmp_path / "config.yaml").write_text(changed)
        assert swap.ask("/api/config/reload", {})[0] == 200
        assert pid(swap, "a") == first
        told = swap.ask(SIZE.format("a"))[1]
        assert (told["configured"], told["effective"]) == (1024, 4096)
        assert told["pending_restart"]
        (tmp_path / "config.yaml").write_text(changed.replace("-c 1024", "-c 2048"))
        assert swap.ask("/api/config/reload", {})[0] == 200
        assert pid(swap, "a") != first, "what the file changes counts at once, as ever"
        told = swap.ask(SIZE.format("a"))[1]
        assert (told["configured"], told["effective"]) == (2048, 4096)
        assert not told["pending_restart"]


def test_with_a_store_overrides_survive_a_restart(tmp_path: Path) -> None:
    text = servers(tmp_path, "store: {path: kept.sqlite}", a="-c 1024")
    with swapping(tmp_path, text) as swap:
        assert swap.ask(SIZE.format("a"), {"ctxSize": 4096})[1]["persisted"]
        swap.process.terminate()
        assert swap.end() == 0
    assert (tmp_path / "kept.sqlite.overrides.json").stat().st_mode & 0o777 == 0o600
    with swapping(tmp_path, text) as swap:
        assert swap.ask(SIZE.format("a"))[1]["override"] == 4096


def test_a_soft_restart_replaces_every_process_and_keeps_what_was_set(tmp_path: Path) -> None:
    text = servers(tmp_path, "hooks: {on_startup: {preload: [a]}}", a="-c 1024", b="")
    with swapping(tmp_path, text) as swap:
        before = {name: pid(swap, name) for name in ("a", "b")}
        swap.ask(SIZE.format("a"), {"ctxSize": 4096})
        assert swap.ask("/api/restart", {})[0] == 200

        def running() -> dict[str, str]:
            rows = swap.ask("/running")[1]["running"]
            return {row["model"]: row["cmd"] for row in rows if row["state"] == "ready"}

        def renewed() -> bool:
            now = running()
            return set(now) == {"a"} and "--ctx-size 4096" in now["a"]

        swap.until(renewed, lambda: str(running()))
        assert pid(swap, "a") != before["a"]


def test_a_model_that_is_no_llama_server_keeps_its_command(tmp_path: Path) -> None:
    with swapping(tmp_path, config("a")) as swap:
        status, answer = swap.ask(SIZE.format("a"), {"ctxSize": 4096})
        assert status == 400
        assert "cannot be changed" in json.dumps(answer)
