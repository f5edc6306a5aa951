"""``llmstack top`` on a real stack: a model appears, the daemon is replaced under it, q."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

from tests.cli.test_top_screen import LEAVE, Screen
from tests.e2e.stack import Stack, models_ini

if TYPE_CHECKING:
    from pathlib import Path


def test_top_shows_a_model_come_and_survives_a_restart(
    tmp_path: Path, tinywords_path: Path
) -> None:
    model = {"path": str(tinywords_path), "size_gb": "0.1", "ctx_size": "8192"}
    tiers = {
        "code-fast": {"role": "fast", **model},
        "code-smart": {"role": "agent", "preload": "off", **model},
    }
    with Stack(tmp_path, models_ini(tiers)) as stack, ThreadPoolExecutor(1) as pool:
        with Screen(stack.root, LLMSTACK_WORK_DIR=str(stack.root)) as top:
            top.wait_for(b"llmstack start")
            pool.submit(stack.start)
            top.shows("code-fast", "ready")
            asking = pool.submit(_ask_on, stack, shown := Event())
            top.shows("code-smart", "ready", " 8192 ")
            top.shows("code-smart", "generating")
            shown.set()
            asking.result()
            restarting = pool.submit(stack.command, "restart")
            top.wait_for(b"as last seen")
            assert restarting.result().returncode == 0
            top.shows("q quits", "tok/s")
            top.press("q")
            assert top.ended() == 0
            assert top.line_mode()
        assert top.output.count(LEAVE) == 1
        assert b"Traceback" not in top.output
        once = stack.command("top", "--once")
        assert once.returncode == 0, once.stderr
        assert "requests" in once.stdout


def _ask_on(stack: Stack, enough: Event) -> None:
    """Keep the second tier busy until that was seen."""
    body = {"model": "code-smart", "max_tokens": 1500, "ignore_eos": True, "prompt": "hello"}
    while not enough.is_set():
        assert stack.request("POST", "/v1/completions", body).status == 200
