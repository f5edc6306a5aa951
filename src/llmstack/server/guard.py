"""Which requests a browser was made to send by a page that has no business here.

Two ways in, both past any firewall, for the browser is on the inside: a page whose name was
pointed at this machine's address (DNS rebinding) asks for a ``Host`` that is not ours; a page of
another site that sends a request across says so in ``Origin`` or ``Sec-Fetch-Site``, which pages
cannot set. Who shows a key on purpose is no such page: it has no key, and Basic, which a browser
sends by itself, does not count.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from llmstack.errors import Forbidden
from llmstack.server.hosts import (
    host_of_origin,
    is_address,
    is_loopback_name,
    matches,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.server.asgi import Scope
    from llmstack.server.asking import Asking

#: Hosts and origins that are remembered as good; anybody may send any number of bad ones.
_MOST = 256
#: What a link on another site's page may open.
_PAGES = ("/", "/ui", "/health", "/favicon.ico")
_ELSEWHERE = frozenset({b"cross-site", b"same-site"})


class Guard:
    """``allowed_hosts`` and ``allowed_origins`` are those of the configuration.

    ``names`` are this machine's; ``learn_names`` asks for the one that takes a while. With
    ``only_here`` hosts are looked at where a browser of this machine may ask: from others a server
    that is no stack may be asked for by any name that a network gives it.
    """

    def __init__(
        self,
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        names: Iterable[str] | None = None,
        *,
        settings: tuple[str, str] = ("allowed_hosts", "allowed_origins"),
        only_here: bool = False,
    ) -> None:
        own = machine_names() if names is None else names
        self._hosts = frozenset(allowed_hosts) | {name.lower() for name in own}
        self._origins = frozenset(origin.lower().encode("latin-1") for origin in allowed_origins)
        self._good: dict[bytes, bool] = {}  # a host, and whether its name is a loopback one
        self._settings = settings
        self._only_here = only_here

    def learn_names(self) -> None:
        """Ask the resolver for this machine's full name, in a thread that nobody waits for."""

        def learn() -> None:
            with suppress(OSError, UnicodeError):
                name, full = socket.gethostname().lower(), socket.getfqdn().lower()
                # Who answers for a network must not be able to name us as it likes.
                if name and full.startswith(f"{name}.") and name_of(full.encode("latin-1")):
                    self._hosts |= {full}

        threading.Thread(target=learn, name="own name", daemon=True).start()

    def fault(self, asking: Asking, scope: Scope) -> Forbidden | None:
        """Why the request is not answered unless it shows a key, None for nothing."""
        host = asking.host
        strange = host is not None and host not in self._good and not self._learn(host)
        if (strange or asking.doubled) and not (self._only_here and not asking.near):
            return self._strange_host(host or b"")
        if asking.origin is None:
            if asking.site not in _ELSEWHERE:  # as all who are no browsers
                return None
            if asking.site == b"same-site" and host is not None and self._good.get(host):
                return None
            if asking.mode == b"navigate" and _is_page(scope):
                return None
            return self._cross_site("a page of another site")
        if self.crosses(asking) and not self.allows(asking.origin):
            return self._cross_site(f"a page of {_shown(asking.origin)}")
        return None

    @staticmethod
    def crosses(asking: Asking) -> bool:
        """Whether a page of another origin than ours asks."""
        origin, host = asking.origin, asking.host
        if origin is None:  # an image, say; what a link opens is looked at by a person
            return asking.site == b"same-site" and asking.mode != b"navigate"
        own = host is not None and origin.partition(b"://")[2].lower() == host.lower()
        return not own

    def allows(self, origin: bytes) -> bool:
        """Whether pages of ``origin`` may ask: those of this machine, and configured ones."""
        return is_loopback_name(host_of_origin(origin)) or origin.lower() in self._origins

    def _learn(self, host: bytes) -> bool:
        """Whether ``host`` is one of ours; good ones are remembered."""
        name = name_of(host)
        loopback = is_loopback_name(name)
        if not (loopback or is_address(name) or (name and matches(name, self._hosts))):
            return False
        if len(self._good) >= _MOST:
            self._good.clear()
        self._good[host] = loopback
        return True

    def _strange_host(self, host: bytes) -> Forbidden:
        name = name_of(host)
        return Forbidden(
            f"forbidden: this server does not know itself as {_shown(host)}",
            why="A web page may have pointed a name of its own at this machine.",
            fix=f"If the name is yours, allow it: {self._settings[0]} = {name}"
            if name
            else "Ask for it by its address or name.",
        )

    def _cross_site(self, who: str) -> Forbidden:
        return Forbidden(
            f"forbidden: {who} may not ask here",
            why="Any page that is open in a browser on this machine could use the models.",
            fix=f"If it is yours, allow it ({self._settings[1]}), or let it send an API key as"
            " Authorization: Bearer.",
        )


def machine_names() -> set[str]:
    """What this machine calls itself, as far as that is known at once."""
    try:
        name = socket.gethostname().lower()
    except OSError:
        return set()
    short = name.partition(".")[0]
    return {name, short, f"{short}.local"} if short else set()


def _is_page(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope.get("method") == "GET" and (path in _PAGES or path.startswith("/ui/"))


def _shown(value: bytes) -> str:
    text = value[:100].decode("latin-1")
    return repr(text if text.isprintable() else ascii(text))
