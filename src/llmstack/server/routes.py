"""A table of routes, each with what its clients need: nothing, a key, or an admin's key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Match

from llmstack.server.asgi import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import Route

    from llmstack.server.access import Access
    from llmstack.server.asgi import Receive, Scope, Send


#: Goes with Go's plain-text errors, whose text a browser must not take for something else.
NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Routes:
    """Routes that are open, for every key, and for admins' keys."""

    def __init__(
        self,
        access: Access,
        *,
        open: Sequence[Route] = (),  # noqa: A002  the word for it
        every_key: Sequence[Route] = (),
        admin: Sequence[Route] = (),
    ) -> None:
        self._access = access
        self.open = tuple(open)
        self._open = frozenset(map(id, open))
        self._admin = frozenset(map(id, admin))
        self.routes = [*open, *every_key, *admin]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer the request if the path is known; whether it was.

        A known path with a wrong method is a 405, which needs no key.

        Raises:
            Unauthorized, Forbidden: the client may not ask for this.
        """
        if scope["type"] != "http":
            return False
        methods: set[str] = set()
        for route in self.routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                if id(route) not in self._open:
                    self._access.check(scope, admin=id(route) in self._admin)
                scope.update(child)
                await route.handle(scope, receive, send)
                return True
            if match is Match.PARTIAL:
                methods |= route.methods or set()
        if methods:
            await answer_not_allowed(send, methods)
        return bool(methods)


async def answer_not_allowed(send: Send, methods: set[str]) -> None:
    """The path is known, the method is not."""
    allow = ", ".join(sorted(methods)).encode()
    kind = b"text/plain; charset=utf-8"
    await answer(send, 405, kind, b"Method Not Allowed\n", NO_SNIFFING, (b"allow", allow))
