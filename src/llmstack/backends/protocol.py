"""What every backend can do, and the values that go in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from llmstack.config.stack import Sampler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from typing import Any

    from llmstack.backends.standing import Standing
    from llmstack.config.hosted import Hosted
    from llmstack.dialects.translation.reply import Usage
    from llmstack.engine import Lease
    from llmstack.http1 import Pool

Headers = list[tuple[bytes, bytes]]


class Waiting(Protocol):
    """Who is told that a request has to wait for its model."""

    async def wait(
        self, lease: Coroutine[Any, Any, Lease], position: Callable[[], int | None]
    ) -> Lease:
        """The lease, once it is there; ``position`` is the place in the queue."""

    def leased(self, waited: float) -> None:
        """The model is there, after ``waited`` seconds."""


class Ask(msgspec.Struct, frozen=True):
    """One request on its way to a backend.

    ``path`` is the API's path (``/v1/chat/completions``), ``target`` the raw path with its query
    as the client sent them. ``headers`` are the client's without hop-by-hop ones, in lower case.
    ``body`` has been read to its end and may still carry the client's name of the model; ``model``
    is what the backend is to serve, in the upstream's words. ``answered_as`` is the model's name
    for the client. ``stream`` says that it asked for a stream. ``waiting`` is told of waits.
    """

    method: str
    path: str
    target: bytes
    headers: Headers
    body: bytes
    model: str
    answered_as: str
    stream: bool = False
    waiting: Waiting | None = None


class Answer(Protocol):
    """An answer whose head is known and whose body is still coming, in the client's API.

    ``llmstack.http1.Response`` is one. ``usage`` is what the backend knows of tokens once the body
    is exhausted; None leaves it to those who read the body. ``problem`` says why an answer that
    began well ended in an error, empty while it has not.
    """

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Headers:
        """Lower-case names, hop-by-hop ones perhaps among them."""

    @property
    def usage(self) -> Usage | None:
        """Tokens."""

    @property
    def problem(self) -> str:
        """What went wrong after the head."""

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has been read."""

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case ``name``), or None."""

    async def read(self) -> bytes:
        """What has arrived, waiting for something; empty at the end of the body.

        Raises:
            Broken: the answer broke off, and its body cannot say so itself.
        """

    def close(self) -> None:
        """Let go of the upstream; ends its work if the body has not been read. May be repeated."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A model that a backend has. ``context`` is the window it will really use, in tokens.

    ``trained`` is the longest one that the model was made for; 0 is not known. ``loaded`` is None
    where nobody tells. ``embedding`` models make vectors of texts and answer nothing else.
    """

    name: str
    context: int = 0
    trained: int = 0
    loaded: bool | None = None
    vision: bool = False
    tools: bool = False
    embedding: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How an upstream is, as far as its last answers tell.

    ``unusable`` is a section that cannot work as it is written (no credentials, no such profile),
    ``down`` one whose breaker is open: for ``retry_in`` more seconds nothing is sent to it.
    """

    state: Literal["unknown", "ok", "down", "unusable"] = "unknown"
    why: str = ""
    retry_in: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether a request may be sent there now."""
        return self.state in ("unknown", "ok")


class Backend(Protocol):
    """One upstream. Safe for any number of requests at once, within one event loop."""

    async def open(self, ask: Ask) -> Answer:
        """Send a request and wait for the beginning of its answer.

        Cancelling the caller, or closing the answer, ends the work upstream.

        Raises:
            RequestError: nothing of an answer has come; ``BackendFailed.elsewhere`` says whether
                another tier may be asked instead.
        """

    async def models(self) -> tuple[Offered, ...]:
        """The models that it has now.

        Raises:
            RequestError: it cannot tell.
        """

    def health(self) -> Health:
        """How it is, without asking it."""

    async def close(self) -> None:
        """End every connection. May be repeated."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a backend is made for: a tier, or a source of models, called ``name``.

    ``sampler`` are defaults that a request wins over.
    """

    name: str
    hosted: Hosted
    sampler: Sampler = field(default_factory=Sampler)


@dataclass(frozen=True, slots=True)
class House:
    """What backends share. ``now`` is monotonic seconds; ``random`` gives numbers in [0, 1).

    ``ours`` are ports on this machine that are our own.
    ``standings`` is what is known of upstreams by address and variable of the key, so that tiers of
    one upstream learn from each other.
    ``shared`` is what the backends of one kind have in common, by the kind.
    """

    pool: Pool
    environ: Mapping[str, str]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    ours: frozenset[int] = frozenset()
    standings: dict[tuple[str, str], Standing] = field(default_factory=dict)
    shared: dict[str, object] = field(default_factory=dict, compare=False)


class Factory(Protocol):
    """Makes the backend for an upstream; quick, and without asking it anything."""

    def __call__(self, upstream: Upstream, house: House) -> Backend:
        """The backend."""
