"""A model server that wants the web page to run what it writes. Standard library only.

``python hostile_server.py --port N``. Answers ``/health``, and everything else as a chat completion
whose every text is ``EVIL``; prints such lines as its log.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Markup, links and images of every kind, controls, and a word without an end.
EVIL = "\n".join(
    [
        "<script>hacked = 1; alert(1)</script><img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "[link](javascript:alert(1)) [link](JaVaScRiPt&colon;alert(1))",
        "[link]( java\tscript:alert(1)) [link](vbscript:alert(1))",
        "[link](data:text/html,<script>alert(1)</script>) <javascript:alert(1)>",
        "![picture](http://203.0.113.9/pixel.png) ![picture](//203.0.113.9/pixel.png)",
        "![picture](data:image/svg+xml,<svg onload=alert(1)>) <style>*{display:none}</style>",
        '[reference]: javascript:alert(1) "title"',
        "[reference] [a](http://a/\"onmouseover='alert(1)') `<b>` ``` <b>",
        "```html onload=alert(1)\n<script>alert(1)</script>\n```",
        "| <script>alert(1)</script> | [x](javascript:alert(1)) |\n|---|---|\n| a | b |",
        "\u202egnp.exe\u202c \u0000 \u0007 \u001b[31mred\u001b]0;title\u0007 \u001b[2J \ufffe",
        "x" * 5000,
    ]
)


def command() -> str:
    """The command line that runs this program, for ``cmd``."""
    return shlex.join([sys.executable, "-I", "-S", __file__, "--port"]) + " ${PORT}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(b"{}", "application/json")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        print(EVIL, flush=True)
        message = {"role": "assistant", "content": EVIL, "reasoning_content": EVIL}
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        whole = {"id": EVIL, "object": "chat.completion", "model": EVIL, "usage": usage}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": EVIL}
            self._send(json.dumps({**whole, "choices": [choice]}).encode(), "application/json")
            return
        choice = {"index": 0, "delta": message, "finish_reason": None}
        chunks = [{**whole, "choices": [choice]}, {**whole, "choices": [], "usage": usage}]
        data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
        self._send(data + b"data: [DONE]\n\n", "text/event-stream")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), _Handler)
    print(EVIL, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
