"""A small model hub for tests: what huggingface_hub asks for, with faults on demand."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "0123456789abcdef0123456789abcdef01234567"

_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_CONTENT = re.compile(r"/content/(?P<key>.+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Hub:
    """Files by ``owner/name/file``, and what goes wrong with them.

    ``cut`` holds the bytes after which the first answer for a file breaks off, ``hold`` those
    after which every answer waits for ``go``. ``gated`` repositories want a token. ``lies`` are
    files whose content is not what their checksum says. ``ranges`` and ``tokens`` record what
    requests for content said, in order.
    """

    files: dict[str, bytes]
    cut: dict[str, int] = field(default_factory=dict)
    hold: dict[str, int] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    lies: set[str] = field(default_factory=set)
    ranges: list[tuple[str, int]] = field(default_factory=list)
    tokens: list[tuple[str, str | None]] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    elsewhere: str = ""


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve ``hub``; content is on another host name than descriptions, as on the real one."""

    class Handler(_Handler):
        served = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_port}"
        hub.elsewhere = f"http://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            hub.go.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        path = unquote(urlsplit(self.path).path)
        found = _RESOLVE.fullmatch(path)
        if found is None:
            self._refuse(404, "")
            return
        repo, key = found["repo"], f"{found['repo']}/{found['name']}"
        token = self.headers["authorization"]
        if not any(name.startswith(f"{repo}/") for name in self.served.files):
            self._refuse(404, "RepoNotFound")
        elif repo in self.served.gated and token is None:
            self._refuse(401, "GatedRepo")
        elif key not in self.served.files:
            self._refuse(404, "EntryNotFound")
        else:
            content = self.served.files[key]
            self.send_response(302)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Location", f"{self.served.elsewhere}/content/{key}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        found = _CONTENT.fullmatch(unquote(urlsplit(self.path).path))
        if found is None:
            self._refuse(404, "")
            return
        hub, key = self.served, found["key"]
        content = hub.files[key]
        asked = _RANGE.match(self.headers["range"] or "")
        start = int(asked[1]) if asked else 0
        if asked and asked[2]:
            content = content[: int(asked[2]) + 1]
        hub.ranges.append((key, start))
        hub.tokens.append((key, self.headers["authorization"]))
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if asked:
            end = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", end)
        self.end_headers()
        if key in hub.lies:
            content = bytes(len(content))
        if (cut := hub.cut.pop(key, None)) is not None:
            self.wfile.write(content[start:cut])
            self.close_connection = True
        elif (hold := hub.hold.get(key)) is not None:
            self.wfile.write(content[start:hold])
            self.wfile.flush()
            hub.holding.set()
            hub.go.wait(60)
            self.wfile.write(content[hold:])
        else:
            self.wfile.write(content[start:])

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()
