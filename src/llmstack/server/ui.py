"""The web page's files at ``/ui``. They hold no data: the page asks the API like anybody else."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

#: Where the package keeps the files.
FILES: Final = Path(__file__).parents[1] / "ui"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: Addresses that the page itself makes something of; "" is the first page.
_PAGE: Final = re.compile(r"(?:[a-z0-9-]+/?)?", re.ASCII)

#: Nothing but the page's own files runs or is loaded, whatever a model writes. Trusted Types make
#: the browser refuse text that is to be parsed as HTML or as a script.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Asked for again each time, and answered with 304: a new release shows at once.
    "cache-control": "no-cache",
}


class _File(NamedTuple):
    content: bytes
    kind: str
    tag: str


class UiFiles:
    """The files below ``folder``, read once; what is not among them cannot be asked for."""

    def __init__(self, folder: Path = FILES) -> None:
        self._files = _read(folder)
        self.routes = [Route("/ui", self._answer), Route("/ui/{path:path}", self._answer)]

    async def _answer(self, request: Request) -> Response:
        """The web page; a plain name is one of its pages."""
        path: str = request.path_params.get("path", "")
        if _PAGE.fullmatch(path):
            path = "index.html"
        file = self._files.get(path)
        if file is None:
            return PlainTextResponse("404 page not found\n", 404, headers=_HEADERS)
        headers: Mapping[str, str] = {**_HEADERS, "etag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.kind, headers=headers)


@cache  # every door has the same, and a reload makes a new door
def _read(folder: Path) -> Mapping[str, _File]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TYPES and path.is_file():
            content = path.read_bytes()
            file = _File(content, _TYPES[path.suffix], _tag(content))
            found[path.relative_to(folder).as_posix()] = file
    return MappingProxyType(found)


def _tag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:32]}"'
