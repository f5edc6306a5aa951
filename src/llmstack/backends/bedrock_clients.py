"""Clients of Bedrock: one per account, made off the event loop, shared by every tier of a house."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from llmstack.backends.bedrock_session import SERVICE, client_options, make_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.backends.bedrock_account import Account
    from llmstack.backends.protocol import House


T = TypeVar("T")


class _Kept:
    """A client, and how many calls it serves. ``stack`` closes it."""

    def __init__(self, client: Any, stack: AsyncExitStack) -> None:
        self.client = client
        self.stack = stack
        self.calls = 0
        self.retired = False


class Lease:
    """One call's use of a client."""

    def __init__(self, clients: Clients, account: Account, kept: _Kept) -> None:
        self._clients = clients
        self._account = account
        self._kept: _Kept | None = kept
        self.client: Any = kept.client

    def release(self) -> None:
        """The call is over. May be repeated."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._clients._released(kept)  # noqa: SLF001  the two are one

    def retire(self) -> None:
        """Its credentials are no good: who comes next gets a client with those of that time."""
        if self._kept is not None:
            self._clients._retired(self._account, self._kept)  # noqa: SLF001


class Clients:
    """The clients of one event loop. Calls that come at once share the making of a client.

    What failed to be made is made anew for the next call: people log in while the daemon runs.
    """

    def __init__(self) -> None:
        self._kept: dict[Account, _Kept] = {}
        self._making: dict[Account, asyncio.Task[_Kept]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._users = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._kept)

    def join(self) -> None:
        """One more backend uses them."""
        self._users += 1

    async def leave(self) -> None:
        """It no longer does. The last one closes every connection."""
        self._users -= 1
        if self._users:
            return
        for task in self._making.values():
            task.cancel()
        for account, kept in list(self._kept.items()):
            kept.calls = 0
            self._retired(account, kept)
        await asyncio.gather(*self._making.values(), *self._closing, return_exceptions=True)

    async def lease(self, account: Account) -> Lease:
        """A client for one call.

        Raises:
            Exception: what ``make_session`` or botocore say of the account.
            ConnectionError: everything was closed meanwhile.
        """
        kept = self._kept.get(account)
        if kept is None:
            task = self._making.get(account)
            if task is None:
                task = asyncio.create_task(self._make(account))
                self._making[account] = task
                task.add_done_callback(lambda done: self._made(account, done))
            # Who leaves meanwhile does not take the client from the others.
            try:
                kept = await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise ConnectionError("it was closed meanwhile") from None
                raise
        kept.calls += 1
        return Lease(self, account, kept)

    async def _make(self, account: Account) -> _Kept:
        session, options = await _in_thread(partial(_prepared, account))
        stack = AsyncExitStack()
        client = await stack.enter_async_context(session.create_client(SERVICE, **options))
        kept = self._kept[account] = _Kept(client, stack)
        return kept

    def _made(self, account: Account, task: asyncio.Task[_Kept]) -> None:
        del self._making[account]
        if not task.cancelled():
            # Whoever waited for it may be gone.
            task.exception()

    def _released(self, kept: _Kept) -> None:
        kept.calls -= 1
        if kept.retired and not kept.calls:
            self._close(kept)

    def _retired(self, account: Account, kept: _Kept) -> None:
        if self._kept.get(account) is kept:
            del self._kept[account]
            kept.retired = True
            if not kept.calls:
                self._close(kept)

    def _close(self, kept: _Kept) -> None:
        task = asyncio.create_task(kept.stack.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def clients_of(house: House) -> Clients:
    """The clients that all Bedrock backends of ``house`` share."""
    clients = house.shared.setdefault("bedrock", Clients())
    assert isinstance(clients, Clients)
    return clients


async def _in_thread(make: Callable[[], T]) -> T:
    """What ``make`` gives. Its thread is nobody's: a login that hangs does not hold up an exit."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[..., None], value: object) -> None:
        if not made.done():
            setter(value)

    def run() -> None:
        setter: Callable[..., None] = made.set_result
        try:
            value: object = make()
        except Exception as error:  # noqa: BLE001  it is for who waits
            setter, value = made.set_exception, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, setter, value)

    threading.Thread(target=run, name="bedrock", daemon=True).start()
    return await made


def _prepared(account: Account) -> tuple[Any, dict[str, Any]]:
    return make_session(account), client_options(account)
