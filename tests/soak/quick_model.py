"""The lightest model server there is, for tests that start thousands: sockets and threads only.

``python -I -S quick_model.py NAME PORT [flag ...]``. ``GET`` answers 200. ``POST`` answers
``{"id": ..., "pieces": N, "pause": SECONDS, "stream": BOOL}`` (the body of the request, which may
hold more) with the id and N pieces, as JSON or as an event stream that ends with ``[DONE]``.

Flags: ``stubborn`` ignores SIGTERM, ``forks`` leaves its real work to a child as a wrapper does,
``talks`` prints without end and without a line break, ``fails`` exits at once every third time,
``other`` does nothing: it makes the command another one.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sys
import threading
import time


def command(name: str, *flags: str) -> str:
    """The line for a ``cmd``."""
    return f"{shlex.join([sys.executable, '-I', '-S', __file__, name])} ${{PORT}} {' '.join(flags)}"


def request(connection: socket.socket, buffer: bytes) -> tuple[bytes, bytes, bytes]:
    """The method, the body and what came after it. Raises OSError at the end of the stream."""
    while b"\r\n\r\n" not in buffer:
        buffer += receive(connection)
    head, _, rest = buffer.partition(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    while len(rest) < size:
        rest += receive(connection)
    return head.partition(b" ")[0], rest[:size], rest[size:]


def receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data


def serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    try:
        while True:
            method, body, buffer = request(connection, buffer)
            if method == b"GET":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            else:
                answer(connection, json.loads(body))
    except OSError:
        pass  # the client left
    finally:
        connection.close()


def answer(connection: socket.socket, wish: dict[str, object]) -> None:
    pieces, pause = int(str(wish["pieces"])), float(str(wish["pause"]))
    if wish.get("stream"):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(pieces):
            time.sleep(pause)
            event = b"data: " + json.dumps({"id": wish["id"], "piece": number}).encode() + b"\n\n"
            connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
        connection.sendall(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        return
    time.sleep(pieces * pause)
    body = json.dumps({"id": wish["id"], "pieces": pieces}).encode()
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    )


def talk() -> None:
    while True:
        os.write(1, b"loading tensors ... " * 100)
        time.sleep(0.01)


def main() -> None:
    _, name, port, *flags = sys.argv
    if "fails" in flags and os.getpid() % 3 == 0:
        print(f"{name}: no such file", flush=True)
        sys.exit(3)
    if "stubborn" in flags:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "forks" in flags and os.fork():
        os.wait()
        return
    if "talks" in flags:
        threading.Thread(target=talk, daemon=True).start()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(port)))
        listener.listen(256)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
