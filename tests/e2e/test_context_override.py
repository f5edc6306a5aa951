"""What is set at run time is what the real server then serves."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

from tests.cli.swaps import Swap, free_run, swapping

if TYPE_CHECKING:
    from pathlib import Path


def window(swap: Swap, model: str) -> Any:
    props = swap.ask(f"/upstream/{model}/props")[1]
    return props["default_generation_settings"]["n_ctx"]


def configuration(model: Path) -> str:
    plain = f"{sys.executable} -P -m llmstack.llama_server --port ${{PORT}} -m {model} -np 1"
    script = f"exec {plain} --ctx-size=1024 2>&1"
    commands = {"plain": f"{plain} -c 1024 --fit off", "script": f"sh -c {shlex.quote(script)}"}
    lines = [f"startPort: {free_run()}", "models:"]
    for name, command in commands.items():
        lines += [f"  {name}:", f"    cmd: {json.dumps(command)}"]
    lines.append("groups: {all: {swap: false, exclusive: false, members: [plain, script]}}")
    return "\n".join(lines) + "\n"


def test_the_real_server_serves_what_was_set(tmp_path: Path, tiny_chat: Path) -> None:
    """Directly and in a shell's script; with fitting the number is the least that it may be."""
    with swapping(tmp_path, configuration(tiny_chat)) as swap:
        for model in ("plain", "script"):
            assert window(swap, model) == 1024
            url = f"/api/model/{model}/ctxsize"
            assert swap.ask(url, {"ctxSize": 512})[1]["pending_restart"]
            assert window(swap, model) == 1024
            swap.ask(f"{url}?apply=restart", {"ctxSize": 512})
            swap.until(lambda: not swap.ask(url)[1]["pending_restart"], lambda: "no restart")  # noqa: B023
            assert window(swap, model) == 512
            assert swap.chat(model)[0] == 200
        fit = {"fit": True, "mode": "min"}
        told = swap.ask("/api/model/plain/fit?apply=restart", fit)[1]
        assert "--fit on --fit-ctx 512 --fit-target 256" in told["command"]
        url = "/api/model/plain/fit"
        swap.until(lambda: not swap.ask(url)[1]["pending_restart"], lambda: "no restart")
        assert window(swap, "plain") >= 512
        assert swap.ask(url)[1]["actual"] == {"fit": True, "mode": "min"}
