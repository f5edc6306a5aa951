"""A server that answers as told, remembers what it was asked, and can be held."""

from __future__ import annotations

import json
import select
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from tests.server.wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHAT = "/v1/chat/completions"
IMAGES = "/v1/images/generations"
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "qwen",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello"},
        }
    ],
}


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def bearer(self) -> str | None:
        """What was shown as authorization."""
        return self.headers.get("authorization")


@dataclass
class SwapServer:
    """``answers`` maps a path to status, body and headers; others have a 404.

    ``stream``, if there is one, is for chats that ask for it; those with a model in ``missing``
    have a 404.

    While ``gate`` is not set, requests wait after ``arrived``; one that is left sets ``left``.
    """

    url: str = ""
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    arrived: Event = field(default_factory=Event)
    gate: Event = field(default_factory=Event)
    left: Event = field(default_factory=Event)
    stream: bytes = b""
    missing: set[str] = field(default_factory=set)

    def answer(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        """Answer ``path`` with bytes or JSON from now on."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = (status, data, named)

    @property
    def last(self) -> Asked:
        """The newest request."""
        return self.asked[-1]


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[SwapServer]:
    """The server, with an answer to a chat; its gate is open."""
    state = SwapServer()
    state.gate.set()
    state.answer(CHAT, COMPLETION)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(data) if data else None
            state.asked.append(Asked(self.command, self.path, headers, body))
            state.arrived.set()
            if not self._held():
                return
            missing = (404, b"404 page not found", {"content-type": "text/plain"})
            status, answer, more = state.answers.get(self.path, missing)
            asked = body if isinstance(body, dict) else {}
            if asked.get("model") in state.missing:
                status, answer, more = missing
            elif state.stream and asked.get("stream"):
                answer, more = state.stream, {"content-type": "text/event-stream"}
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            if "content-type" not in more:
                self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _held(self) -> bool:
            """Wait for the gate; False when the client has left before."""
            while not state.gate.is_set():
                readable, _, _ = select.select([self.connection], [], [], 0.01)
                gone = b""
                with suppress(ConnectionError):
                    gone = self.connection.recv(1, socket.MSG_PEEK) if readable else b"-"
                if not gone:
                    state.left.set()
                    self.close_connection = True
                    return False
            return True

        do_GET = do_POST = answer  # noqa: N815  the base class's names

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    server = Server((host, 0), Handler)
    shown = f"[{host}]" if ":" in host else host
    state.url = f"http://{shown}:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.gate.set()
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
