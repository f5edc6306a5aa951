"""The web page's files, as they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.server.ui import FILES, POLICY
from tests.server.wire import Wire, ask

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio

NAMES = sorted(
    path.relative_to(FILES).as_posix()
    for path in FILES.rglob("*")
    if path.suffix in {".html", ".css", ".js", ".svg"}
)
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.mark.parametrize("port", ["gateway", "door"])
async def test_every_file_is_sent_under_a_strict_policy(house: House, port: str) -> None:
    for name in (*NAMES, "", "models", "models/", "missing.js"):
        answer = await ask(getattr(house, port), "GET", f"/ui/{name}")
        assert answer.header("content-security-policy") == POLICY, name
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("cross-origin-opener-policy") == "same-origin"
        assert answer.header("cross-origin-resource-policy") == "same-origin"
        assert answer.status == (404 if name == "missing.js" else 200)


def test_the_policy_lets_nothing_run_but_files_of_our_own() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == rules["frame-ancestors"] == rules["form-action"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert not any(word in POLICY for word in ("unsafe", "*", "http:", "https:"))


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_is_sent_whole_and_as_what_it_is(house: House, name: str) -> None:
    answer = await ask(house.gateway, "GET", f"/ui/{name}")
    assert answer.body == (FILES / name).read_bytes()
    assert answer.header("content-type").startswith(KINDS[name.rpartition(".")[2]])
    same = [("If-None-Match", answer.header("etag"))]
    again = await ask(house.gateway, "GET", f"/ui/{name}", headers=same)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/ui/../server/ui.py",
        "/ui/../../../../../../etc/passwd",
        "/ui//etc/passwd",
        "/ui/./app.js",
        "/ui/lib/../app.js",
        "/ui/%2e%2e/server/ui.py",
        "/ui/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/ui/%252e%252e/server/ui.py",
        "/ui/..%5c..%5cserver%5cui.py",
        "/ui/..\\..\\server\\ui.py",
        "/ui/%00",
        "/ui/app.js%00.html",
        "/ui/app.js%00",
        "/ui/lib",  # a folder is no page, but a name is: the page itself says that there is none
        "/ui/lib/",
        "/ui/lib/nothing",
        "/ui/README.md",
        "/ui/__init__.py",
        "/ui/APP.JS",
        "/ui/app.js/",
        "/ui/caf%c3%a9",
        "/ui/%ff%fe",
        "/uix",
        "/ui.py",
    ],
)
async def test_nothing_else_can_be_asked_for(house: House, path: str) -> None:
    async with Wire(house.gateway) as wire:
        await wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
        answer = await wire.answer()
    if path in ("/ui/lib", "/ui/lib/"):
        assert answer.body == (FILES / "index.html").read_bytes()
    else:
        assert answer.status in (400, 404)
        assert b"import" not in answer.body
        assert b"root:" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_files_are_only_read(house: House, method: str) -> None:
    answer = await ask(house.gateway, method, "/ui/app.js", b"")
    assert answer.status in (404, 405)
