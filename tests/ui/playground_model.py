"""A model server whose answers a test can choose: what a real small model does not do on demand.

``python playground_model.py --port N``; standard library only. ``command()`` gives the line for a
``cmd``. A chat is answered by what its last user message begins with, see ``ANSWERS``; any other
message with the request itself as JSON. It also reranks, draws and takes images.
"""

from __future__ import annotations

import argparse
import base64
import json
import shlex
import struct
import sys
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What a model might write to harm the page.
HOSTILE = """<script>document.title = "owned"</script><img src=x onerror="document.title='owned'">

[a link](javascript:document.title='owned') ![picture](http://192.0.2.1/spy.png) [unload](/unload)

<iframe srcdoc="<script>top.document.title='owned'</script>"></iframe>

```<b>html
</code></pre><svg onload="document.title='owned'">
```

| <u>a</u> | [b](data:text/html,<script>x</script>) |
|---|---|
| <style>*{display:none}</style> | &lt;i&gt; |
"""

RICH = """## Why a queue

A queue keeps requests **in order** while a model is being loaded. It answers three questions:

1. Who is next?
2. Which model does it need?
   - the one that is loaded
   - another one: then a *swap* is due
3. How long may it wait?

```python
def next_request(queue: list[Request], loaded: str) -> Request:
    same = [one for one in queue if one.model == loaded]
    return (same or queue)[0]
```

| Order | Swaps | Longest wait |
|:--|--:|--:|
| first come, first served | 41 | 2.1 s |
| same model first | 9 | 3.4 s |

> Fewer swaps cost a longer wait: choose by what hurts more.

See [the paper](https://example.org/queues) or `llmstack status`.
"""

#: Deltas by the word that the last user message begins with; None breaks the stream off.
ANSWERS: dict[str, list[dict[str, Any] | None]] = {
    "hostile": [{"content": HOSTILE}],
    "rich": [{"content": piece} for piece in RICH.splitlines(keepends=True)],
    "reason": [
        {"reasoning_content": "First I "},
        {"reasoning_content": "think."},
        {"content": "Then I answer."},
    ],
    "think": [
        {"content": "<th"},
        {"content": "ink>\nQuietly.</th"},
        {"content": "ink>\n\nAloud."},
    ],
    "tools": [
        {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "read_file"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"path": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"<b>/etc/passwd"}'}}]},
    ],
    "break": [{"content": "Half an ans"}, None],
    "fail": [{"content": "It began"}, {"error": "the <b>engine</b> is out of memory"}],
}


def command() -> str:
    """The command line that runs this program, for ``cmd``."""
    return f"{shlex.join([sys.executable, '-I', '-S', __file__])} --port ${{PORT}}"


def png(width: int, height: int) -> bytes:
    """An image of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x0f\x76\x6e" * width) * height
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def words(text: str) -> set[str]:
    """The words of ``text``, without their endings."""
    return {word.strip("?.").lower()[:5] for word in text.split()}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Health, and properties that tell nothing."""
        self._json({"status": "ok"} if self.path == "/health" else {})

    def do_POST(self) -> None:
        """A chat, a ranking or a drawing."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/rerank"):
            wanted = words(body["query"])
            found = [len(wanted & words(text)) / len(wanted) for text in body["documents"]]
            rows = [{"index": at, "relevance_score": score} for at, score in enumerate(found)]
            self._json({"results": rows})
        elif self.path.endswith("/images/generations"):
            image = base64.b64encode(png(64, 64)).decode()
            self._json({"data": [{"b64_json": image}] * body["n"]})
        else:
            self._chat(body)

    def _chat(self, body: dict[str, Any]) -> None:
        content = body["messages"][-1]["content"]
        word = content.split()[0] if isinstance(content, str) and content else ""
        if word == "long":
            full = {"message": "the request exceeds the available context size", "n_ctx": 4096}
            self._json({"error": {**full, "code": "context_length_exceeded"}}, 400)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        echo = {"content": f"```json\n{json.dumps(body, indent=1)}\n```"}
        for delta in ANSWERS.get(word, [echo]):
            if delta is None:
                return
            if "error" in delta:
                self._event({"error": {"message": delta["error"], "code": 500}})
                return
            self._event({"id": "1", "choices": [{"index": 0, "delta": delta}]})
            time.sleep(0.01)
        self._event({"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def _json(self, answer: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: tests read the answers."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler).serve_forever()
