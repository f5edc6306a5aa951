"""Models that are found rather than declared: what each source offers now.

Nothing is asked until somebody looks. Who looks gets what is known at once, and what is too old is
asked again behind them, one question per source at a time. So no request waits for a source that
is slow, and a source may come and go.
"""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmstack.backends.protocol import Offered

#: Seconds for which an answer is good.
FRESH: Final = 10.0

#: Seconds until a source that failed is asked again, by failures in a row; the last one stays.
PAUSES: Final = (15.0, 30.0, 60.0)

#: Seconds after an answer in which a name that it lacks is not looked for again.
LOOKED: Final = 2.0

#: A failure that took no longer, in seconds, holds only ``LOOKED`` for who names a model.
QUICK: Final = 0.5

#: Seconds that a source may take to answer; nobody waits for it that long.
LIMIT: Final = 30.0

#: Most models of one source, and most characters of a name: those who answer are not ours.
MOST, LONGEST = 10_000, 400


class Lister(Protocol):
    """What can be asked for its models: every ``Backend``."""

    async def models(self) -> tuple[Offered, ...]:
        """The models that it has now."""


class _Source:
    """What is known of one source. Times are those of the injected clock."""

    def __init__(self, lister: Lister) -> None:
        self.lister = lister
        self.offers: tuple[Offered, ...] = ()
        self.problem = ""
        self.failures = 0
        self.asked_at = 0.0
        self.answered_at: float | None = None
        self.task: asyncio.Task[None] | None = None

    def due(self, now: float, fresh: float, *, named: bool = False) -> bool:
        """Whether it should be asked now; ``fresh`` is how long a good answer holds.

        ``named`` is for who wants one model: a source that is not there says so at once, and may
        have been started since.
        """
        if self.task is not None:
            return False
        if self.answered_at is None:
            return True
        pause = fresh
        if self.failures and not (named and self.answered_at - self.asked_at <= QUICK):
            pause = PAUSES[min(self.failures, len(PAUSES)) - 1]
        return now - self.answered_at >= pause


class Discovery:
    """What named sources offer. Belongs to one event loop; ``close`` it in the end.

    ``now`` gives seconds of a monotonic clock. ``limit`` bounds one answer of a source.
    """

    def __init__(
        self, sources: Mapping[str, Lister], now: Callable[[], float], *, limit: float = LIMIT
    ) -> None:
        self._sources = {name: _Source(lister) for name, lister in sources.items()}
        self._now = now
        self._limit = limit
        self._closed = False
        self._known: Mapping[str, tuple[Offered, ...]] = MappingProxyType({})
        self._version = 0
        self._tell()

    @property
    def version(self) -> int:
        """Changes whenever the set of names does; what models are like may change without it."""
        return self._version

    def known(self, of: Iterable[str] | None = None) -> Mapping[str, tuple[Offered, ...]]:
        """What every source offers, as far as it is known, at once.

        A source whose answer is too old is asked again in the background; with ``of``, which are
        some of them, only if it is one of these.
        """
        for name in self._sources if of is None else of:
            self._refresh(name, FRESH)
        return self._known

    def problem(self, source: str) -> str:
        """Why the last answer of ``source`` did not come; empty if it did, or is yet to come."""
        found = self._sources.get(source)
        return found.problem if found else ""

    def asked(self, source: str) -> bool:
        """Whether ``source`` has told what it has, or that it cannot, at least once."""
        found = self._sources.get(source)
        return found is not None and found.answered_at is not None

    async def fresh(self, within: float = 0.75) -> Mapping[str, tuple[Offered, ...]]:
        """As ``known``, giving sources that are being asked ``within`` seconds to answer.

        They count from the question on: who comes when a slow source has had its time does not
        wait for it.
        """
        self.known()
        await self._wait(self._sources, within)
        return self._known

    async def look(self, source: str, within: float = 2.0) -> tuple[Offered, ...]:
        """What ``source`` offers, asked again if that may tell of a name that was not known.

        An answer of the last moments is taken as it is, and so is a failure that was slow to come,
        until its pause is over: asking for what does not exist costs a source nothing.
        """
        if source not in self._sources:
            return ()
        self._refresh(source, LOOKED, named=True)
        await self._wait((source,), within)
        return self._known.get(source, ())

    async def close(self) -> None:
        """Stop asking; nothing is asked any more. May be repeated."""
        self._closed = True
        tasks = [source.task for source in self._sources.values() if source.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, names: Iterable[str], within: float) -> None:
        now = self._now()
        waits = {
            source.task: source.asked_at + within - now
            for name in names
            if (source := self._sources[name]).task
        }
        waiting = [task for task, left in waits.items() if task and left > 0]
        if waiting:
            # Their ends are theirs: this neither cancels them nor raises what they raise.
            await asyncio.wait(waiting, timeout=max(waits.values()))

    def _refresh(self, name: str, fresh: float, *, named: bool = False) -> None:
        source = self._sources[name]
        now = self._now()
        if self._closed or not source.due(now, fresh, named=named):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # somebody looks who is in none, and so cannot be told either
            return
        source.asked_at = now
        source.task = loop.create_task(self._ask(source), name=f"models of {name}")

    async def _ask(self, source: _Source) -> None:
        try:
            async with asyncio.timeout(self._limit):
                offers = _proper(await source.lister.models())
        except TimeoutError:
            self._failed(source, f"no answer within {self._limit:g} s")
        except LlmstackError as error:
            self._failed(source, error.what)
        except Exception as error:  # noqa: BLE001  a fault in one source is not one of the others
            self._failed(source, f"{type(error).__name__}: {error}")
        else:
            source.offers, source.problem, source.failures = offers, "", 0
        finally:
            source.task = None
        source.answered_at = self._now()
        self._tell()

    @staticmethod
    def _failed(source: _Source, why: str) -> None:
        source.offers, source.problem = (), why
        source.failures += 1

    def _tell(self) -> None:
        known = {name: source.offers for name, source in self._sources.items()}
        if _names(known) != _names(self._known):
            self._version += 1
        self._known = MappingProxyType(known)


def _names(known: Mapping[str, tuple[Offered, ...]]) -> dict[str, frozenset[str]]:
    return {
        source: frozenset(offer.name for offer in offers)
        for source, offers in known.items()
        if offers
    }


def _proper(offers: Iterable[Offered]) -> tuple[Offered, ...]:
    """``offers`` without those whose names are none, each name once."""
    found: dict[str, Offered] = {}
    for offer in offers:
        if len(found) >= MOST:
            break
        name = offer.name
        if name and len(name) <= LONGEST and name.isprintable() and name == name.strip():
            found.setdefault(name, offer)
    return tuple(found.values())
