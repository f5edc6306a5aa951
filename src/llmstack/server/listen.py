"""Listening sockets, opened before anything else so that a taken port is noticed at once."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from contextlib import suppress

from llmstack.errors import DaemonError

#: One more than the largest port.
_PORTS = 1 << 16


def listen(host: str, port: int, purpose: str, *, network: bool = False) -> socket.socket:
    """A listening TCP socket. Port 0 takes a free one, an empty host every address.

    Raises:
        DaemonError: the port is taken (saying by whom, where that can be seen), not allowed, or
            ``host`` is not an address of this machine, or not loopback without ``network``.
    """
    if not network and not is_loopback(host):
        raise DaemonError(
            f"{purpose}: refusing to listen on {host}",
            why="That address can be reached from the network.",
            fix="Listen on 127.0.0.1.",
        )
    every = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host or every else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if every:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if sys.platform == "win32":  # where SO_REUSEADDR would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OverflowError:
        listener.close()
        raise DaemonError(
            f"{purpose}: {port} is not a port number", fix="Use 1 to 65535."
        ) from None
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise DaemonError(
                f"{purpose}: port {port} on {host} is taken{_holder(port)}",
                fix="Stop that program, or choose another port.",
            ) from error
        raise DaemonError(f"{purpose}: cannot listen on {host}:{port}", why=str(error)) from error
    listener.setblocking(False)
    return listener


def free_row(first: int, count: int, host: str = "127.0.0.1") -> int:
    """The first of ``count`` neighbouring ports, from ``first`` on, that nobody listens on now.

    Raises:
        DaemonError: there are none.
    """
    while first + count <= _PORTS:
        taken = [port for port in range(first, first + count) if not _is_free(host, port)]
        if not taken:
            return first
        first = taken[-1] + 1
    raise DaemonError(f"no {count} ports next to each other are free on {host}")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if sys.platform != "win32":  # a port that was in use a moment ago is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def read_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``, whose host is empty.

    Raises:
        DaemonError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not bracketed) or not (port.isascii() and port.isdigit()):
        raise DaemonError(
            f"{text!r} is not an address to listen on",
            fix="Write HOST:PORT, [IPV6]:PORT or :PORT, for example 127.0.0.1:8080.",
        )
    return (host[1:-1] if bracketed else host), int(port)


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """The base URL under which ``listener`` is reached."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_every_address(host: str) -> bool:
    """Whether ``host`` stands for every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _holder(port: int) -> str:
    """`` by NAME (pid N)`` for who listens on ``port``, as far as this user may see it."""
    import psutil

    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                if connection.pid is None:
                    return " by another user's program"
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
