"""Parts of a llama-swap configuration as frozen values; ``swap`` has the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


def empty() -> Mapping[str, Any]:
    """A mapping without entries."""
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Filters:
    """What to change in a JSON request, in this order: strip, set, set by requested name.

    Keys are dotted paths. Every mapping is sorted by key, names are unique, and the top-level key
    ``model`` is never among them.
    """

    strip_params: tuple[str, ...] = ()
    set_params: Mapping[str, Any] = field(default_factory=empty)
    set_params_by_id: Mapping[str, Mapping[str, Any]] = field(default_factory=empty)

    def __bool__(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.strip_params or self.set_params or self.set_params_by_id)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of a connection to an upstream, in seconds; 0 means no limit."""

    connect: int = 30
    keepalive: int = 30
    response_header: int = 0
    tls_handshake: int = 10
    expect_continue: int = 1
    idle_conn: int = 90


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model says of itself. ``context`` counts tokens, 0 for not told."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tools: bool = False
    reranker: bool = False
    context: int = 0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that clients may show, known by its digest only.

    ``sha256`` is lower-case hexadecimal. ``models`` holds canonical names: ids of local models,
    ``PEER/MODEL``, ids of selectors; None allows all. ``admin`` keys may use the management
    endpoints. A key written as a plain text has no name and may do everything.
    """

    sha256: str = field(repr=False)
    name: str = ""
    models: frozenset[str] | None = None
    admin: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """Names and what is served for them while the profile is active; None is disabled."""

    name: str
    pins: Mapping[str, str | None]
    description: str = ""


Strategy = Literal["warm", "pin", "spillover"]


@dataclass(frozen=True, slots=True)
class Selector:
    """A name that stands for one of ``targets``, which are as written and known to exist."""

    id: str
    strategy: Strategy
    targets: tuple[str, ...]
    spillover: int = 1
    name: str = ""
    description: str = ""
    unlisted: bool = False
    metadata: Mapping[str, Any] = field(default_factory=empty)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server whose ``models`` are served under their own and ``PEER/MODEL`` names.

    With ``discover`` all others that it has are, too, under ``PEER/MODEL`` only.
    """

    id: str
    proxy: str
    models: tuple[str, ...]
    api_key: str = field(default="", repr=False)
    filters: Filters = Filters()
    timeouts: Timeouts = Timeouts(response_header=60)
    discover: bool = False


@dataclass(frozen=True, slots=True)
class Performance:
    """Sampling of the machine. ``every`` is in seconds."""

    disabled: bool = False
    every: float = 5.0


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The memory router's settings, in bytes. ``budget`` None is what the machine has.

    ``margin`` is left free of a detected budget only. ``pinned`` holds real ids.
    """

    budget: int | None = None
    margin: int = 1 << 30
    pinned: tuple[str, ...] = ()
