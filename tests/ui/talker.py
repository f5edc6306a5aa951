"""A program in the place of a model: it prints what it is told to.

``python talker.py PORT``: ``GET /health`` answers 200; ``POST /say`` writes the body, as it is, to
standard output.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Talker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._done()

    def do_POST(self) -> None:
        left = int(self.headers.get("content-length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, 65536))):
            left -= len(piece)
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        self._done()

    def log_message(self, _: str, *args: object) -> None:
        """Nothing but what it is told to print."""

    def _done(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Talker).serve_forever()
