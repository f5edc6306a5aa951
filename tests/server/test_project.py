"""A project's own files are begun once, its generated files rendered."""

from __future__ import annotations

import http.server
import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config import default_ini, parse_stack, workdir
from llmstack.config.marker import Marker, read_marker
from llmstack.config.stack import Settings
from llmstack.config.workdir import WorkDir
from llmstack.errors import ConfigError, DaemonError
from llmstack.server import project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CURRENT = Marker("current")
INI = "[DEFAULT]\nrouter_port = 20101\n[a]\nrole = agent\nhf_repo = o/r\nhf_file = f.gguf\n"


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


@contextmanager
def another_machine(text: bytes, status: int = 200) -> Iterator[tuple[str, list[str | None]]]:
    """A server that sends ``text`` as models.ini; its URL and the keys that it was shown."""
    keys: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["authorization"])
            known = self.path == "/models.ini"
            self.send_response(status if known else 404)
            self.end_headers()
            self.wfile.write(text if known else b"")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", keys
        finally:
            server.shutdown()
            thread.join()


def config_of(rendered: project.Rendered) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(rendered.opencode)
    return config


def base_url(rendered: project.Rendered) -> str:
    url: str = config_of(rendered)["provider"]["llama.cpp"]["options"]["baseURL"]
    return url


def test_what_the_user_owns_is_begun_once_and_then_left_alone(work: WorkDir) -> None:
    """A second init changes nothing; --force keeps a copy."""
    assert set(project.begin(work, default_ini()).values()) == {"wrote"}
    work.models_ini.write_text("mine")
    work.agents_md.write_text("mine too")
    assert set(project.begin(work, default_ini()).values()) == {"kept"}
    done = project.begin(work, default_ini(), force=True)
    assert done == {work.models_ini: "replaced", work.agents_md: "kept"}
    assert work.models_ini.read_text() == default_ini()
    assert work.models_ini.with_name("models.ini.bak").read_text() == "mine"
    assert work.agents_md.read_text() == "mine too"


def test_both_generated_files_say_so_and_are_the_same_every_time(work: WorkDir) -> None:
    """W6: the instructions that opencode.json points at exist."""
    project.begin(work, INI)
    project.write(work, project.render(work, CURRENT, {}))
    first = work.opencode_json.read_text(), work.swap_yaml.read_text()
    project.write(work, project.render(work, CURRENT, {}))
    assert (work.opencode_json.read_text(), work.swap_yaml.read_text()) == first
    assert all("enerated by llmstack" in text for text in first)
    assert json.loads(first[0])["instructions"] == [str(work.agents_md)]
    assert work.agents_md.is_file()


def test_an_opencode_json_of_the_users_own_is_kept_beside(work: WorkDir) -> None:
    """W37: nobody's configuration is lost, wherever OPENCODE_CONFIG_DIR points."""
    project.begin(work, INI)
    work.opencode_json.write_text('{"theme": "mine"}')
    rendered = project.render(work, CURRENT, {"OPENCODE_CONFIG_DIR": str(work.root / "other")})
    copy = project.write(work, rendered)
    assert copy is not None
    assert copy.read_text() == '{"theme": "mine"}'
    assert not (work.root / "other").exists()
    assert project.write(work, rendered) is None


def test_a_mistake_changes_no_generated_file(work: WorkDir) -> None:
    """All problems are named before anything is written."""
    project.begin(work, INI)
    project.write(work, project.render(work, CURRENT, {}))
    before = work.opencode_json.read_text()
    work.models_ini.write_text(f"{INI}ctx_size = 64,000\n")
    with pytest.raises(ConfigError, match="Write 64000"):
        project.render(work, CURRENT, {})
    assert work.opencode_json.read_text() == before


def test_a_thin_client_is_rendered_from_the_other_machines_file(work: WorkDir) -> None:
    """W20: the address is that of the marker to come, and no models.ini is kept here."""
    with another_machine(INI.encode()) as (url, keys):
        rendered = project.render(work, Marker("external", url), {"LLMSTACK_API_KEY": "sk-1"})
        project.choose(work, Marker("external", url))
        project.write(work, rendered)
    assert base_url(rendered) == f"{url}/v1"
    assert keys[0] == "Bearer sk-1"
    options = config_of(rendered)["provider"]["llama.cpp"]["options"]
    assert options["apiKey"] == "{env:LLMSTACK_API_KEY}"
    assert "sk-1" not in work.opencode_json.read_text()
    assert read_marker(work.default_channel) == Marker("external", url)
    assert not work.models_ini.exists()
    assert not work.swap_yaml.exists()


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (b"", 200, "empty models.ini"),
        (b"nothing", 500, "answered 500"),
        (b"no", 401, "wants an API key"),
        (b"\xff\xfe", 200, "is not text"),
    ],
)
def test_a_thin_client_of_something_else_is_refused(
    work: WorkDir, text: bytes, status: int, message: str
) -> None:
    """An address that is no stack leaves the project as it was."""
    with another_machine(text, status) as (url, _), pytest.raises(DaemonError, match=message):
        project.render(work, Marker("external", url), {})
    assert not work.state.exists()


def test_a_thin_client_refuses_a_file_that_cannot_be_used(work: WorkDir) -> None:
    """What the other machine sends is read as strictly as a file of one's own."""
    with another_machine(b"[a]\nhf_repo = ../../etc\n") as (url, _), pytest.raises(ConfigError):
        project.render(work, Marker("external", url), {})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:10101"),
        ("0.0.0.0", "http://127.0.0.1:10101"),
        ("::", "http://[::1]:10101"),
        ("192.168.1.7", "http://127.0.0.1:10102"),
    ],
)
def test_clients_here_get_an_address_that_can_be_called(host: str, url: str) -> None:
    """W22: 0.0.0.0 is no address to send a request to.

    Nor is one of the network, from which only keys are let in: the engine's port is the gateway of
    this machine then, as it is when the gateway speaks TLS.
    """
    assert project.gateway_url(Settings(router_host=host)) == url


def test_the_port_of_the_file_reaches_the_agents(work: WorkDir) -> None:
    """W22: router_port moves the gateway and the wiring together."""
    project.begin(work, INI)
    assert base_url(project.render(work, CURRENT, {})) == "http://127.0.0.1:20101/v1"


def test_the_shipped_instructions_fit_the_shipped_stack() -> None:
    """The default file is one that 'install' can render from."""
    assert parse_stack(default_ini(), "models.ini").stack.with_role("agent")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_copy_is_as_it_was_and_no_more_open(
    work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file's own mode nor the user's umask is widened; odd bytes stay."""
    work.state.mkdir()
    work.models_ini.write_bytes(b"; gr\xf6\xdfe\n")
    work.models_ini.chmod(0o600)
    project.begin(work, INI, force=True)
    copy = work.models_ini.with_name("models.ini.bak")
    assert copy.read_bytes() == b"; gr\xf6\xdfe\n"
    assert {path.stat().st_mode & 0o777 for path in (copy, work.models_ini)} == {0o600}
    monkeypatch.setattr(workdir, "_UMASK", 0o077)
    project.write(work, project.render(work, CURRENT, {}))
    assert work.opencode_json.stat().st_mode & 0o777 == 0o600
