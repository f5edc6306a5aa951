"""A model server that loads for a given time: ``PORT SECONDS early|late``.

Prints the monotonic time at which a health check would first succeed.
"""

import socket
import sys
import time


def main() -> None:
    """Answer 503 (early) or nothing at all (late) until the time has passed, then 200."""
    port, seconds, binds = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    ready = time.monotonic() + seconds
    if binds == "late":
        time.sleep(seconds)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    print(max(ready, time.monotonic()), flush=True)
    while True:
        client, _ = listener.accept()
        client.recv(4096)
        status = b"200 OK" if time.monotonic() >= ready else b"503 Loading"
        client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        client.close()


if __name__ == "__main__":
    main()
