"""A model server without a model: a real program that stands in for llama-server in tests.

``python fake_model_server.py --port N [flags]``; standard library only. Every flag is a way in
which a real server behaves or misbehaves. ``command()`` gives the line for a ``cmd``.

Answers:

GET /health
    200 once ready, 503 before; see ``--slow-start``, ``--ready-file``, ``--hang-health``.
POST /v1/chat/completions, /v1/completions
    ``tokens`` (default 3) words ``tok0 tok1 ...``, one every ``interval_ms`` (default 0), as JSON
    or, with ``"stream": true``, as SSE that ends with usage, timings and ``[DONE]``. With
    ``"paced": true`` every word waits for a ``POST /control {"release": N}``.
GET /control
    Counts: ``requests``, ``active`` (answers being given), ``left`` (clients that went away early).
POST /control
    ``{"release": N}`` lets N paced words go; ``{"health": 503}`` changes the health answer;
    ``{"exit": CODE}`` ends the process at once.
WebSocket upgrade on any path
    Echoes text and binary messages.
anything else
    The request itself as JSON: ``method``, ``path`` (raw), ``headers`` (list of pairs), ``body``
    (text), ``body_base64``, ``port``, ``pid``. ``?status=418`` sets the status of the answer.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import select
import shlex
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBSOCKET_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: Seconds between two looks at whether a waiting client is still there.
GLANCE = 0.02


def command(*flags: str, port: int | str = "${PORT}") -> str:
    """The command line that runs this program, for ``cmd``. Starts fast: no site, isolated."""
    program = shlex.join([sys.executable, "-I", "-S", __file__])
    return " ".join([program, f"--port {port}", *(shlex.quote(flag) for flag in flags)])


class ClientLeft(Exception):
    """The client closed its connection before the answer was complete."""


class State:
    """What the whole server shares."""

    def __init__(self, flags: argparse.Namespace) -> None:
        self.flags = flags
        self.born = time.monotonic()
        self.health: int | None = None
        self.requests = self.active = self.left = 0
        self.lock = threading.Lock()
        self.pace = threading.Semaphore(0)

    def health_status(self) -> int:
        if self.health is not None:
            return self.health
        late = time.monotonic() < self.born + self.flags.slow_start
        unmade = self.flags.ready_file and not os.path.exists(self.flags.ready_file)  # noqa: PTH110
        return 503 if late or unmade else 200

    def count(self, **changes: int) -> None:
        with self.lock:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every method there is, known or not
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Keep quiet: tests look at what ``--print`` says."""

    def answer(self) -> None:
        state = self.server.state
        state.count(requests=1)
        path = self.path.partition("?")[0]
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.echo_websocket()
            return
        body = self.read_body()
        if path == "/health":
            self.answer_health()
        elif path == "/control":
            self.control(json.loads(body) if body else {})
        elif path in ("/v1/chat/completions", "/v1/completions") and self.command == "POST":
            state.count(active=1)
            try:
                self.complete(json.loads(body or b"{}"), chat="chat" in path)
            except (ClientLeft, OSError):
                state.count(left=1)
                self.close_connection = True
            finally:
                state.count(active=-1)
        else:
            self.echo(body)

    def read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send_json(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def answer_health(self) -> None:
        flags = self.server.state.flags
        if flags.hang_health:
            threading.Event().wait()
        status = self.server.state.health_status()
        self.send_json({"status": "ok" if status == 200 else "loading model"}, status)
        if status == 200 and flags.crash_after_ready is not None:
            # Late enough for the prober to have read the answer.
            threading.Timer(0.05, os._exit, [flags.crash_after_ready]).start()

    def control(self, wish: dict[str, Any]) -> None:
        state = self.server.state
        if "exit" in wish:
            os._exit(int(wish["exit"]))
        if "health" in wish:
            state.health = wish["health"]
        for _ in range(int(wish.get("release", 0))):
            state.pace.release()
        self.send_json({name: getattr(state, name) for name in ("requests", "active", "left")})

    def echo(self, body: bytes) -> None:
        query = self.path.partition("?")[2]
        chosen = [part[7:] for part in query.split("&") if part.startswith("status=")]
        self.send_json(
            {
                "method": self.command,
                "path": self.path,
                "headers": [list(pair) for pair in self.headers.items()],
                "body": body.decode("utf-8", "replace"),
                "body_base64": base64.b64encode(body).decode(),
                "port": self.server.server_address[1],
                "pid": os.getpid(),
            },
            int(chosen[0]) if chosen else 200,
        )

    # Completions.

    def complete(self, wish: dict[str, Any], *, chat: bool) -> None:
        count = int(wish.get("tokens", 3))
        usage = {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}
        timings = {"prompt_n": 7, "prompt_per_second": 70.0, "predicted_n": count}
        about = {
            "id": "fake-1",
            "object": "chat.completion" if chat else "text_completion",
            "created": 1,
            "model": wish.get("model", "fake"),
        }
        if not wish.get("stream"):
            words = list(self.words(wish, count))
            text = " ".join(words)
            choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
            choices = [{"index": 0, **choice, "finish_reason": "stop"}]
            self.send_json({**about, "choices": choices, "usage": usage, "timings": timings})
            return
        if chat:
            about["object"] += ".chunk"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, word in enumerate(self.words(wish, count)):
            if number == self.server.state.flags.break_stream:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            text = word if number == 0 else f" {word}"
            piece: dict[str, Any] = {"delta": {"content": text}} if chat else {"text": text}
            choices = [{"index": 0, **piece, "finish_reason": None}]
            self.send_event(json.dumps({**about, "choices": choices}))
        end: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        last = {"index": 0, **end, "finish_reason": "stop"}
        self.send_event(
            json.dumps({**about, "choices": [last], "usage": usage, "timings": timings})
        )
        self.send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def words(self, wish: dict[str, Any], count: int) -> Iterator[str]:
        for number in range(count):
            if wish.get("paced"):
                while not self.server.state.pace.acquire(timeout=GLANCE):
                    self.check_client()
            elif wish.get("interval_ms"):
                due = time.monotonic() + float(wish["interval_ms"]) / 1000
                while (rest := due - time.monotonic()) > 0:
                    time.sleep(min(rest, GLANCE))
                    self.check_client()
            yield f"tok{number}"

    def check_client(self) -> None:
        readable, _, _ = select.select([self.connection], [], [], 0)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ClientLeft

    def send_event(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")

    # WebSocket (RFC 6455): unfragmented messages are enough for an echo.

    def echo_websocket(self) -> None:
        key = self.headers.get("Sec-WebSocket-Key", "")
        proof = hashlib.sha1((key + WEBSOCKET_KEY).encode(), usedforsecurity=False).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(proof).decode())
        self.end_headers()
        self.close_connection = True
        while head := self.rfile.read(2):
            opcode, size = head[0] & 0x0F, head[1] & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self.rfile.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.rfile.read(8))
            mask = self.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
            if opcode == 8:  # close: answered with the same code
                self.send_frame(8, data)
                return
            if opcode in (1, 2):
                self.send_frame(opcode, data)
            elif opcode == 9:  # ping
                self.send_frame(10, data)

    def send_frame(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 1 << 16:
            head = bytes([0x80 | opcode, 126]) + struct.pack("!H", size)
        else:
            head = bytes([0x80 | opcode, 127]) + struct.pack("!Q", size)
        self.wfile.write(head + data)


class Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, flags: argparse.Namespace) -> None:
        self.state = State(flags)
        super().__init__((flags.host, flags.port), Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's looks our own name up, slowly

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that leave are part of the tests."""


def parse() -> argparse.Namespace:
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--host", default="127.0.0.1")
    flags.add_argument("--hold", type=int, default=0, metavar="MIB", help="memory to take")
    flags.add_argument("--slow-start", type=float, default=0.0, metavar="S")
    flags.add_argument("--ready-file", default="", help="healthy once this file exists")
    flags.add_argument("--crash-on-start", type=int, metavar="CODE")
    flags.add_argument("--crash-after-ready", type=int, nargs="?", const=1, metavar="CODE")
    flags.add_argument("--ignore-sigterm", action="store_true")
    flags.add_argument("--fork-child", action="store_true", help="prints 'child PID'")
    flags.add_argument("--hang-health", action="store_true")
    flags.add_argument("--print", action="append", default=[], metavar="LINE", dest="lines")
    flags.add_argument("--break-stream", type=int, metavar="AFTER_TOKENS")
    return flags.parse_args()


def main() -> None:
    flags = parse()
    held = b"x" * (flags.hold << 20)  # stays to the end of the program  # noqa: F841
    if flags.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in flags.lines:
        print(line, flush=True)
    if flags.fork_child:
        # Inherits an ignored SIGTERM, as a stubborn descendant of a stubborn wrapper would.
        child = subprocess.Popen(["sleep", "600"])
        print(f"child {child.pid}", flush=True)
    if flags.crash_on_start is not None:
        sys.exit(flags.crash_on_start)
    with Server(flags) as server:
        print(f"listening on {flags.host}:{flags.port}", flush=True)
        server.serve_forever(poll_interval=60)


if __name__ == "__main__":
    main()
