"""``llmstack top`` on a real stack: a model appears, the daemon is replaced under it, q."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from tests.cli.test_top_screen import LEAVE, Screen
from tests.e2e.stack import Stack, models_ini

if TYPE_CHECKING:
    from collections.abc import Iterator
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
            with _busy(stack, pool):
                top.shows("code-smart", "ready", " 8192 ")
                top.shows("code-smart", "generating")
            restarting = pool.submit(stack.command, "restart")
            top.wait_for(b"as seen ")
            assert restarting.result().returncode == 0
            top.shows("q quits", "tok/s")
            top.press("q")
            assert top.ended() == 0
            assert top.line_mode()
        assert top.output.count(LEAVE) == 1
        assert b"Traceback" not in top.output
        once = stack.command("top", "--once")
        assert once.returncode == 0, once.stderr
        assert re.search(r"\d requests?\b", once.stdout)


@contextmanager
def _busy(stack: Stack, pool: ThreadPoolExecutor) -> Iterator[None]:
    """Somebody keeps asking the second tier."""
    body = {"model": "code-smart", "max_tokens": 1500, "ignore_eos": True, "prompt": "hello"}
    enough = Event()

    def ask() -> None:
        while not enough.is_set():
            with stack.stream("/v1/completions", body) as response:
                assert response.read().rstrip().endswith(b"data: [DONE]")

    asking = pool.submit(ask)
    try:
        yield
    finally:
        enough.set()
        asking.result()
