"""Where a stack listens: the gateway for whoever it is for, the engine's door for this machine.

The engine's own door never leaves loopback, so it is no way round the gateway's keys. Where the
gateway itself cannot be asked from here in the clear, because it speaks TLS or has one address of a
network, the engine's port is a second gateway: that is what this machine's programs then use.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from llmstack.config.render import reachable
from llmstack.errors import DaemonError
from llmstack.server.key_ring import KeyRing
from llmstack.server.listen import is_every_address, is_loopback, listen, url_of
from llmstack.server.tls import checked_tls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.stack import Settings
    from llmstack.config.workdir import WorkDir

#: An address that needs no neighbour: asking for the way to it sends nothing.
_FAR = ("192.0.2.1", 9)

_HERE = "127.0.0.1"


def is_for_network(settings: Settings) -> bool:
    """Whether others than this machine can reach the gateway."""
    return not is_loopback(settings.router_host)


def inner_host(settings: Settings) -> str:
    """The loopback address of the engine's door."""
    return _HERE if is_for_network(settings) else settings.router_host


def is_plain_here(settings: Settings) -> bool:
    """Whether this machine's programs can ask the gateway in the clear."""
    own = is_loopback(settings.router_host) or is_every_address(settings.router_host)
    return own and not (settings.tls_cert_file or settings.tls_key_file)


def inner_url(settings: Settings) -> str:
    """The gateway's base URL for this machine's programs."""
    if is_plain_here(settings):
        return f"http://{reachable(settings.router_host)}:{settings.router_port}"
    return f"http://{reachable(inner_host(settings))}:{settings.engine_port}"


def key_ring(
    work: WorkDir, settings: Settings, environ: Mapping[str, str], local_key: str = ""
) -> KeyRing:
    """The stack's keys, which are enough for where it listens.

    Raises:
        DaemonError: the network could come in without a key.
        ConfigError: a source of keys is wrong.
    """
    closed = is_for_network(settings) and not settings.insecure
    ring = KeyRing(work, environ, local_key=local_key, open_to_network=closed)
    if closed and not ring.usable():
        raise DaemonError(
            f"refusing to listen on {settings.router_host}",
            why="Everybody in that network could use it: "
            + ("every API key has expired." if ring.keys else "there is no API key."),
            fix="Make one: llmstack keys add NAME\n"
            "Or listen on 127.0.0.1, or give --insecure if nobody else is in that network.",
        )
    return ring


def check_doorways(work: WorkDir, settings: Settings, environ: Mapping[str, str]) -> None:
    """Look at everything that opening to the network takes, before anything starts.

    Raises:
        DaemonError, ConfigError: see ``key_ring``; or the certificate is of no use.
    """
    _tls(settings)
    _check_inside(settings)
    key_ring(work, settings, environ)


class Doorways:
    """The listening sockets. Port None is that of ``settings``, 0 a free one.

    ``gateway`` is the gateway's base URL for this machine, ``door`` that of the engine's door,
    empty where another program has it, ``public`` the gateway's for others, empty for nobody.

    Raises:
        DaemonError: a port is taken, or an address or certificate is of no use.
    """

    def __init__(
        self, settings: Settings, gateway_port: int | None = None, engine_port: int | None = None
    ) -> None:
        self.tls = _tls(settings)
        _check_inside(settings)
        self._plain_here = is_plain_here(settings)
        self.sockets: list[socket.socket] = []
        outer, inner = settings.router_host, inner_host(settings)
        wanted = [
            (outer, settings.router_port if gateway_port is None else gateway_port, "gateway")
        ]
        if settings.engine != "llama-swap":  # else that port is the program's
            port = settings.engine_port if engine_port is None else engine_port
            wanted.append((inner, port, "engine"))
        for host, port, purpose in wanted:
            try:
                self.sockets.append(listen(host, port, purpose, network=purpose == "gateway"))
            except BaseException:
                self.close()
                raise
        port = self.sockets[0].getsockname()[1]
        self.door = url_of(self.sockets[1]) if len(self.sockets) > 1 else ""
        self.gateway = f"http://{reachable(outer)}:{port}" if self._plain_here else self.door
        self.public = ""
        if is_for_network(settings) or self.tls:
            scheme = "https" if self.tls else "http"
            host = own_address() if is_every_address(outer) else reachable(outer)
            self.public = f"{scheme}://{host}:{port}"

    @property
    def door_is_gateway(self) -> bool:
        """Whether the engine's port is the gateway of this machine's programs."""
        return not self._plain_here

    @property
    def plain(self) -> list[socket.socket]:
        """The sockets that are never served with TLS."""
        return self.sockets[1:]

    def ports(self) -> frozenset[int]:
        """Their numbers."""
        return frozenset(opened.getsockname()[1] for opened in self.sockets)

    def close(self) -> None:
        """Close them all."""
        for opened in self.sockets:
            opened.close()


def own_address() -> str:
    """The address by which this machine's network knows it; a guess where it has several."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_FAR)
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname() or _HERE


def _tls(settings: Settings) -> tuple[str, str] | None:
    return checked_tls(settings.tls_cert_file, settings.tls_key_file, "--tls-cert and --tls-key")


def _check_inside(settings: Settings) -> None:
    """What is behind the gateway must not be reached past it, and must reach it."""
    if not (is_loopback(settings.host) or settings.insecure):
        raise DaemonError(
            f"refusing to let model servers listen on {settings.host}",
            why="The network could ask them directly, without a key.",
            fix="Remove host from [DEFAULT]; router_host is where the gateway listens.",
        )
    if settings.engine == "llama-swap" and not is_plain_here(settings):
        raise DaemonError(
            "engine = llama-swap cannot serve TLS, nor one address of a network",
            why="This machine's programs could not reach the gateway then.",
            fix="Use the embedded engine, or listen on 0.0.0.0 or 127.0.0.1 without TLS.",
        )
