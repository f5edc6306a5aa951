"""Where the paths of the APIs are below the address that a user writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.backends.protocol import Ask

#: ``v1``, but also the ``v1beta`` and ``v4`` of those who put OpenAI's paths elsewhere.
_VERSION = re.compile(r"/v\d+(?:alpha|beta)?\d*(?=/|\Z)")
_DOTS = re.compile(rb"/(?:\.|%2e){1,2}(?=[/?]|\Z)", re.IGNORECASE)


class Address(NamedTuple):
    """``base`` without its version, which is put before the APIs' paths: "/v1" if there is none."""

    base: str
    version: str

    @property
    def url(self) -> str:
        """Where the APIs begin."""
        return self.base + self.version

    def target(self, ask: Ask) -> tuple[str, bytes]:
        """The base and the raw target below it for ``ask``.

        Raises:
            BadRequest: the path leads elsewhere.
        """
        path, mark, query = ask.target.partition(b"?")
        if ask.path.startswith("/v1/") and not path.startswith(b"/v1/"):
            path = quote(ask.path, safe="/").encode()
        if _DOTS.search(path) or not path.startswith(b"/"):
            raise BadRequest(f"{ask.answered_as} cannot be asked on {ask.path}")
        if path.startswith(b"/v1/"):
            return self.url, path[3:] + mark + query
        return self.base, path + mark + query


def address_of(base_url: str) -> Address:
    """The parts of a ``base_url``, written with or without its ``/v1``."""
    base = base_url.rstrip("/")
    found = _VERSION.search(base, base.find("://") + 3)
    if found is None:
        return Address(base, "/v1")
    return Address(base[: found.start()], base[found.start() :])
