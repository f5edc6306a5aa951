"""The network is let in with keys only: real commands, a real daemon, real addresses."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import stat
import time
from base64 import b64encode
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from llmstack.server.doorways import own_address
from tests.e2e.stack import Answer, Stack, eventually, models_ini
from tests.http1.certificate import self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}


class Keyed:
    """A stack that the network can reach, and its keys by name."""

    def __init__(self, stack: Stack, started: str) -> None:
        self.stack = stack
        self.started = started
        self.keys: dict[str, str] = {}
        self.outside = f"http://{own_address()}:{stack.ports[0]}"

    def add(self, name: str, *options: str) -> str:
        """A new key."""
        done = self.stack.command("keys", "add", name, *options)
        assert done.returncode == 0, done.stderr
        self.keys[name] = done.stdout.strip()
        return self.keys[name]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        base: str = "",
        **headers: str,
    ) -> Answer:
        """One request, from the network unless ``base`` says otherwise; ``_`` stands for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["authorization"] = f"Bearer {self.keys.get(key, key)}"
        address = urlsplit(base or self.outside)
        with closing(http.client.HTTPConnection(str(address.hostname), address.port, 60)) as link:
            link.request(method, path, None if body is None else json.dumps(body), sent)
            with link.getresponse() as answer:
                return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def chat(self, model: str, **more: Any) -> Answer:
        """One chat turn."""
        return self.ask("POST", CHAT, {"model": model, **HELLO}, **more)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, tinywords_path: Path) -> Iterator[Keyed]:
    """``guest`` has one model, ``chooser`` auto, ``plain`` all, ``boss`` operations too."""
    model = {"path": str(tinywords_path), "size_gb": "0.1", "ctx_size": "8192"}
    tiers = {
        "code-fast": {"role": "fast", "aliases": "quick", **model},
        "code-smart": {"role": "agent", **model},
    }
    ini = models_ini(tiers, allowed_hosts="box.test", allowed_origins="https://chat.test")
    with Stack(tmp_path_factory.mktemp("keyed"), ini) as stack:
        keyed = Keyed(stack, "")
        refused = stack.command("start", "--host", "0.0.0.0")
        assert refused.returncode == 1
        assert "refusing to listen on 0.0.0.0" in refused.stderr
        assert "llmstack keys add" in refused.stderr
        assert not stack.listening()
        keyed.add("guest", "--models", "quick")
        keyed.add("chooser", "--models", "auto")
        keyed.add("plain")
        keyed.add("boss", "--admin")
        started = stack.command("start", "--host", "0.0.0.0")
        assert started.returncode == 0, started.stderr
        keyed.started = started.stdout
        yield keyed


def test_start_says_where_another_machine_finds_it(keyed: Keyed) -> None:
    assert f"network {keyed.outside}/v1   keys: 4" in keyed.started
    assert f"LLMSTACK_REMOTE_URL={keyed.outside}" in keyed.started
    assert not any(key in keyed.started for key in keyed.keys.values())
    assert keyed.stack.status()["public"] == keyed.outside


def test_the_files_hold_no_key_and_are_the_owners_only(keyed: Keyed) -> None:
    work = keyed.stack.work
    text = work.keys.read_text()
    assert not any(key in text for key in keyed.keys.values())
    for path in (work.keys, work.local_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    everywhere = "".join(
        path.read_text("utf-8", "replace") for path in work.state.rglob("*") if path.is_file()
    )
    assert not any(key in everywhere for key in keyed.keys.values())


def test_without_a_key_only_health_is_told(keyed: Keyed) -> None:
    here = keyed.stack.gateway
    assert keyed.ask("GET", "/health").status == 200
    for base in (keyed.outside, here, keyed.stack.door):
        for key in ("", "wrong"):
            for method, path in (("POST", CHAT), ("GET", "/v1/models"), ("POST", "/api/chat")):
                got = keyed.ask(method, path, HELLO, key=key, base=base)
                assert (got.status, path, base) == (401, path, base)
                assert got.headers["www-authenticate"].startswith("Basic")
    for path in ("/api/status", "/running", "/metrics", "/logs", "/api/keys", "/unload"):
        assert keyed.ask("GET", path).status == 401
        assert keyed.ask("GET", path, base=here, x_forwarded_for="192.0.2.7").status == 401


def test_the_engines_port_is_no_way_round(keyed: Keyed) -> None:
    """It never listens on an address of the network."""
    with socket.socket() as probe:
        assert probe.connect_ex((own_address(), keyed.stack.ports[1])) != 0
        assert probe.connect_ex(("127.0.0.1", keyed.stack.ports[1])) == 0
    for port in keyed.stack.ports[2:]:
        with socket.socket() as probe:
            assert probe.connect_ex((own_address(), port)) != 0


def test_a_key_opens_what_it_is_for_and_nothing_else(keyed: Keyed) -> None:
    assert keyed.chat("code-fast", key="guest").status == 200
    assert keyed.chat("quick", key="guest").status == 200
    assert keyed.chat("code-smart", key="guest").status == 403
    assert keyed.chat("auto", key="guest").headers["x-llmstack-model"] == "code-fast"
    assert keyed.chat("auto", key="chooser").status == 200
    assert keyed.chat("code-smart", key="chooser").status == 403
    assert keyed.chat("code-smart", key="plain").status == 200
    seen = keyed.ask("GET", "/v1/models", key="guest").json()["data"]
    assert {row["id"] for row in seen} <= {"auto", "code-fast", "quick"}
    for path in ("/running", "/api/status", "/api/keys"):
        assert keyed.ask("GET", path, key="plain").status == 403
        assert keyed.ask("GET", path, key="boss").status == 200


def test_a_key_may_be_shown_in_three_ways(keyed: Keyed) -> None:
    boss = keyed.keys["boss"]
    basic = f"Basic {b64encode(f'me:{boss}'.encode()).decode()}"
    assert keyed.ask("GET", "/running", x_api_key=boss).status == 200
    assert keyed.ask("GET", "/running", authorization=basic).status == 200
    assert keyed.ask("GET", "/running", authorization=f"bearer {boss}").status == 200


def test_this_machines_own_programs_go_on_without_being_told_a_key(keyed: Keyed) -> None:
    """The command line has its own key, and opencode's file names where it is."""
    stack = keyed.stack
    assert stack.status()["ready"]
    asked = stack.command("run", "hello", "--max-tokens", "4")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(stack.command("route", "hello", "--json").stdout)["model"]
    assert stack.command("configure").returncode == 0
    config = json.loads(stack.work.opencode_json.read_text())
    reference = config["provider"]["llama.cpp"]["options"]["apiKey"]
    assert reference == f"{{file:{stack.work.local_key}}}"
    own = stack.work.local_key.read_text().strip()
    assert keyed.chat("auto", key=own, base=stack.gateway).status == 200
    assert keyed.chat("code-fast", key=own, base=stack.door).status == 200
    assert keyed.chat("auto", key=own).status == 401, "it opens nothing from elsewhere"
    assert keyed.chat("auto", key=own, base=stack.gateway, x_real_ip="192.0.2.7").status == 401


def test_operations_need_no_key_on_this_machine(keyed: Keyed) -> None:
    here = keyed.stack.gateway
    assert keyed.ask("GET", "/running", base=here).status == 200
    assert keyed.ask("GET", "/api/keys", base=here).status == 200
    same = {"sec_fetch_site": "same-origin"}
    assert keyed.chat("code-fast", base=here, **same).status == 200, "the page's playground"
    assert keyed.chat("code-fast", **same).status == 401, "but not from elsewhere"


def test_a_page_cannot_make_a_browser_ask(keyed: Keyed) -> None:
    """DNS rebinding, and posts across sites."""
    here = keyed.stack.gateway
    for headers in (
        {"host": "rebound.test"},
        {"host": "127.0.0.1.rebound.test:10101"},
        {"origin": "https://rebound.test"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"host": "rebound.test", "sec_fetch_site": "same-origin"},
    ):
        for method, path in (("POST", "/api/models/unload"), ("GET", "/unload"), ("POST", CHAT)):
            for base in (here, keyed.stack.door):
                got = keyed.ask(method, path, HELLO, base=base, **headers)
                assert got.status == 403, (headers, path)
    told = keyed.ask("GET", "/running", base=here, host="my.lan:1").json()["error"]["message"]
    assert "allowed_hosts = my.lan" in told
    near = {"base": here, "origin": "http://localhost:3000"}
    assert keyed.ask("GET", "/running", **near).status == 401, "another program's page, no key"
    assert keyed.ask("GET", "/running", key="boss", **near).status == 200
    assert keyed.chat("auto", key="plain", base=here, host="box.test").status == 200
    assert keyed.chat("auto", key="plain", host="my.lan", origin="https://my.app").status == 200
    basic = f"Basic {b64encode(('x:' + keyed.keys['boss']).encode()).decode()}"
    got = keyed.ask("GET", "/unload", authorization=basic, origin="https://rebound.test")
    assert got.status == 403, "what a browser sends by itself does not count"


def test_a_real_browser_is_let_in_and_pages_that_use_it_are_not(keyed: Keyed) -> None:
    """Our own page asks freely here, and with its password from elsewhere; others get nothing."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("no chromium")
    here, port = keyed.stack.gateway, keyed.stack.ports[0]
    ask = """async ([url, method, body, mode]) => {
        try { return (await fetch(url, {method, body, mode})).status } catch { return 0 }
    }"""
    body = json.dumps({"model": "code-fast", **HELLO})
    flags = ["--no-sandbox", "--disable-dev-shm-usage"]
    flags.append("--host-resolver-rules=MAP rebound.test 127.0.0.1")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=flags)
        page = browser.new_page()
        assert page.goto(f"{here}/running").status == 200
        assert page.evaluate(ask, [CHAT, "POST", body, "cors"]) == 200
        loaded = {"code-fast"} & {
            row["model"] for row in keyed.ask("GET", "/running", base=here).json()["running"]
        }
        assert loaded
        assert page.goto(f"http://rebound.test:{port}/running").status == 403
        assert page.evaluate(ask, ["/unload", "GET", None, "cors"]) == 403
        assert page.evaluate(ask, [CHAT, "POST", body, "cors"]) == 403
        page.goto("data:text/html,elsewhere")
        for url in (f"{here}/unload", f"{here}/api/models/unload", f"{here}{CHAT}"):
            for method in ("GET", "POST"):
                assert page.evaluate(ask, [url, method, None, "no-cors"]) == 0
        running_now = keyed.ask("GET", "/running", base=here).json()["running"]
        assert "code-fast" in {row["model"] for row in running_now}, "nothing was unloaded"
        password = {"username": "me", "password": keyed.keys["boss"]}
        outside = browser.new_context(http_credentials=password).new_page()
        assert outside.goto(f"{keyed.outside}/running").status == 200
        assert outside.evaluate(ask, [CHAT, "POST", body, "cors"]) == 200
        browser.close()


def test_a_page_that_is_allowed_may_read_its_answer(keyed: Keyed) -> None:
    ask = {"access_control_request_method": "POST"}
    keys = {"access_control_request_headers": "content-type, authorization"}
    got = keyed.ask("OPTIONS", CHAT, origin="https://chat.test", **ask)
    assert (got.status, got.headers["access-control-allow-origin"]) == (204, "*")
    assert keyed.ask("OPTIONS", CHAT, origin="https://other.test", **ask).status == 403
    assert keyed.ask("OPTIONS", CHAT, origin="https://other.test", **ask, **keys).status == 204
    got = keyed.chat("code-fast", key="plain", origin="https://other.test")
    assert got.status == 200
    assert got.headers["access-control-allow-origin"] in ("*", "https://other.test")


def test_a_revoked_key_is_unknown_at_once(keyed: Keyed) -> None:
    """That a stream may end which it began: tests/server/test_stack_keys.py."""
    keyed.add("brief")
    assert keyed.chat("code-fast", key="brief").status == 200
    assert keyed.stack.command("keys", "revoke", "brief").returncode == 0
    assert keyed.chat("code-fast", key="brief").status == 401
    again = keyed.stack.command("keys", "revoke", "brief")
    assert again.returncode == 1
    assert "no key is called 'brief'" in again.stderr


def test_a_file_that_is_broken_by_hand_keeps_the_former_keys(keyed: Keyed) -> None:
    path = keyed.stack.work.keys
    before = path.read_bytes()
    log = keyed.stack.work.logs / "router.log"
    try:
        path.write_text('{"keys": [')
        eventually(lambda: "the former keys stay in force" in log.read_text(), "it is told", 20)
        assert keyed.chat("code-fast", key="plain").status == 200
        assert keyed.chat("code-fast").status == 401
        entries = json.loads(before)["keys"]
        only = [entry for entry in entries if entry["name"] != "chooser"]
        path.write_text(json.dumps({"keys": only}))
        eventually(
            lambda: keyed.chat("code-fast", key="chooser").status == 401, "an edit counts", 20
        )
    finally:
        path.write_bytes(before)
    eventually(lambda: keyed.chat("auto", key="chooser").status == 200, "it is back", 20)


def test_a_rate_is_kept_and_told(keyed: Keyed) -> None:
    keyed.add("slow", "--rate", "2/min", "--models", "code-fast")
    statuses = [keyed.chat("code-fast", key="slow").status for _ in range(2)]
    assert statuses == [200, 200]
    got = keyed.chat("code-fast", key="slow")
    assert got.status == 429
    assert 1 <= int(got.headers["retry-after"]) <= 31
    assert got.json()["error"]["code"] == "rate_limit_exceeded"
    assert keyed.chat("code-fast", key="plain").status == 200, "others go on"


def test_what_each_key_has_used_is_told(keyed: Keyed) -> None:
    assert keyed.chat("code-fast", key="guest").status == 200
    shown = json.loads(keyed.stack.command("keys", "list", "--json").stdout)
    assert shown["required"]
    guest = next(row for row in shown["keys"] if row["name"] == "guest")
    assert guest["models"] == ["quick"]
    assert guest["requests"] >= 1
    assert guest["last_used"] >= time.time() - 60
    assert guest["prefix"] == keyed.keys["guest"][: len(guest["prefix"])]
    text = keyed.ask("GET", "/metrics", key="boss").body.decode()
    assert 'llmstack_client_requests_total{client="guest"}' in text
    assert 'llmstack_client_output_tokens_total{client="guest"}' in text
    rows = keyed.ask("GET", "/api/metrics/activity", key="boss").json()["data"]
    assert "guest" in json.dumps(rows)


def test_keys_are_made_and_taken_back_over_http_by_admins(keyed: Keyed) -> None:
    assert keyed.ask("POST", "/api/keys", {"name": "web"}, key="plain").status == 403
    made = keyed.ask("POST", "/api/keys", {"name": "web", "expires": "1d"}, key="boss")
    assert made.status == 201
    assert keyed.chat("code-fast", key=made.json()["key"]).status == 200
    assert keyed.ask("POST", "/api/keys", {"name": "web"}, key="boss").status == 409
    bad = keyed.ask("POST", "/api/keys", {"name": "x", "models": ["code-fsat"]}, key="boss")
    assert bad.status == 400
    assert "code-fast" in bad.json()["error"]["message"]
    assert keyed.ask("DELETE", "/api/keys/web", key="boss").status == 200
    assert keyed.chat("code-fast", key=made.json()["key"]).status == 401
    assert keyed.ask("DELETE", "/api/keys/web", key="boss").status == 404


def test_with_a_certificate_the_network_gets_tls_and_this_machine_the_clear(
    tmp_path: Path, tinywords_path: Path
) -> None:
    """Keys of the environment count, a wrong certificate stops the start, status goes on."""
    pem = str(self_signed(tmp_path))
    model = {"path": str(tinywords_path), "size_gb": "0.1", "ctx_size": "8192"}
    tiers = {"code-fast": {"role": "fast", **model}}
    with Stack(tmp_path / "work", models_ini(tiers)) as stack:
        wrong = stack.command("start", "--tls-cert", pem)
        assert wrong.returncode == 1
        assert "Give both, --tls-cert and --tls-key" in wrong.stderr
        environ = {"API_KEYS": "a-key-of-the-environment, another-key-of-it"}
        options = ("--host", "0.0.0.0", "--tls-cert", pem, "--tls-key", pem)
        started = stack.command("start", *options, **environ)
        assert started.returncode == 0, started.stderr
        assert f"network https://{own_address()}" in started.stdout
        assert stack.status()["ready"]
        assert stack.command("run", "hello", "--max-tokens", "4").returncode == 0
        trusting = ssl.create_default_context(cafile=pem)
        with closing(
            http.client.HTTPSConnection("127.0.0.1", stack.ports[0], context=trusting, timeout=60)
        ) as link:
            body = json.dumps({"model": "auto", **HELLO})
            link.request("POST", CHAT, body, {"x-api-key": "a-key-of-the-environment"})
            assert link.getresponse().read()
            link.request("POST", CHAT, body, {"x-api-key": "no-key-of-it"})
            assert link.getresponse().status == 401
