"""The examples of docs/client.md run."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack import client as package
from tests.client.swap_server import COMPLETION, IMAGES

if TYPE_CHECKING:
    import pytest

    from tests.client.swap_server import SwapServer

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
ADDRESS = "127.0.0.1:10101"


def test_every_example_runs(server: SwapServer, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, in one namespace, as a reader would."""
    server.answer("/v1/models", {"object": "list", "data": [{"id": "code-smart"}]})
    server.answer("/running", {"running": []})
    server.answer("/api/route", {"model": "plan", "reason": "plan words"})
    for path in ("load/code-smart", "unload/code-smart", "unload"):
        server.answer(f"/api/models/{path}", b"OK", content_type="text/plain")
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    server.answer(IMAGES, {"data": [{"b64_json": image}]})
    row = {**COMPLETION, "choices": [{"index": 0, "delta": {"content": "one two three"}}]}
    server.stream = f"data: {json.dumps(row)}\n\ndata: [DONE]\n\n".encode()
    server.missing.add("no-such-model")
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(examples) >= 7
    names: dict[str, Any] = {}
    for example in examples:
        code = example.replace(ADDRESS, server.url.removeprefix("http://"))
        exec(compile(code, str(PAGE), "exec"), names)
    shown = capsys.readouterr().out
    for line in ("hello", "one two three", "code-smart", "plan plan words", "image/png 8"):
        assert line in shown
    assert shown.count("not_found") == 2
    assert {one.path for one in server.asked} >= {*server.answers}


def test_every_name_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    unsaid = {"ImageResult", "Image", "ListedModel"}  # what methods give
    assert [name for name in package.__all__ if name not in unsaid and name not in page] == []
