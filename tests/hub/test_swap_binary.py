"""Installing llama-swap: the right asset, checked, and nothing but the program taken out."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, TCPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from llmstack.errors import DownloadError
from llmstack.hub.swap_binary import (
    _download,
    asked_release,
    find_llama_swap,
    install_llama_swap,
    installed_number,
    latest_tag,
)
from llmstack.hub.swap_release import checksum_of, release_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = b"#!/bin/sh\necho version: 210 built at x\n"


def tape(*members: tuple[str, bytes | None, str]) -> bytes:
    """A tar.gz of (name, content, link target); content None makes a symbolic link."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content, target in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, target
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


GOOD = tape(("README.md", b"x", ""), ("llama-swap", PROGRAM, ""))


@contextmanager
def releases(archive: bytes, listed: bytes | None = None) -> Iterator[dict[str, str]]:
    """A place with release v210; ``listed`` is what the checksum is of, if not the archive."""
    digest = hashlib.sha256(archive if listed is None else listed).hexdigest()
    name = "llama-swap_210_linux_amd64.tar.gz"
    files = {
        f"/r/download/v210/{name}": archive,
        "/r/download/v210/llama-swap_210_checksums.txt": f"{digest}  {name}\n".encode(),
        "/r/tag/v210": b"a page",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/r/latest":
                self.send_response(302)
                self.send_header("Location", "/r/tag/v210")
                self.end_headers()
                return
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield {"LLAMA_SWAP_RELEASES": f"http://127.0.0.1:{server.server_port}/r"}
        finally:
            server.shutdown()
            thread.join()


def install(environ: dict[str, str], directory: Path) -> Path:
    release = asked_release(environ, "linux", "x86_64")
    return install_llama_swap(release, directory, environ, lambda _done, _size: None)


@pytest.mark.parametrize(
    ("platform", "machine", "asset"),
    [
        ("linux", "x86_64", "llama-swap_210_linux_amd64.tar.gz"),
        ("linux", "aarch64", "llama-swap_210_linux_arm64.tar.gz"),
        ("darwin", "arm64", "llama-swap_210_darwin_arm64.tar.gz"),
        ("freebsd14", "amd64", "llama-swap_210_freebsd_amd64.tar.gz"),
        ("win32", "AMD64", "llama-swap_210_windows_amd64.zip"),
    ],
)
def test_each_machine_has_its_asset(platform: str, machine: str, asset: str) -> None:
    """The names are those of the releases."""
    assert release_for("v210", platform, machine).asset == asset


@pytest.mark.parametrize(
    ("tag", "platform", "machine"),
    [
        ("v210", "win32", "arm64"),
        ("v210", "sunos5", "x86_64"),
        ("v210", "linux", "riscv64"),
        ("../../evil", "linux", "x86_64"),
        ("", "linux", "x86_64"),
    ],
)
def test_what_there_is_no_release_of_is_refused(tag: str, platform: str, machine: str) -> None:
    """A version never becomes part of a path."""
    with pytest.raises(DownloadError):
        release_for(tag, platform, machine)


def test_the_newest_release_is_installed_and_runs(tmp_path: Path) -> None:
    """LLAMA_SWAP_VERSION pins another; the installed program is found before PATH."""
    with releases(GOOD) as environ:
        program = install(environ, tmp_path / "bin")
        assert program.read_bytes() == PROGRAM
        assert installed_number(program) == 210
        with pytest.raises(DownloadError, match="answered 404"):
            install({**environ, "LLAMA_SWAP_VERSION": "v9"}, tmp_path / "bin")
    found = find_llama_swap({}, tmp_path, which=lambda _: "/usr/bin/llama-swap")
    assert found == program
    assert sorted(path.name for path in program.parent.iterdir()) == [
        ".llama-swap.lock",
        "llama-swap",
    ]


def test_an_archive_with_another_checksum_is_not_installed(tmp_path: Path) -> None:
    """W35: a replaced asset must not run here."""
    with (
        releases(GOOD, listed=b"another") as environ,
        pytest.raises(DownloadError, match="SHA-256"),
    ):
        install(environ, tmp_path / "bin")
    assert not (tmp_path / "bin" / "llama-swap").exists()


@pytest.mark.parametrize(
    "archive",
    [
        tape(("llama-swap", None, "/bin/sh")),
        tape(("README.md", b"x", "")),
        b"no archive",
        GOOD[:40],
    ],
    ids=["link", "absent", "garbage", "cut"],
)
def test_an_archive_without_the_program_is_an_error(tmp_path: Path, archive: bytes) -> None:
    """W35: a symbolic link of that name is not the program."""
    with releases(archive) as environ, pytest.raises(DownloadError):
        install(environ, tmp_path / "bin")
    assert not (tmp_path / "bin" / "llama-swap").exists()


def test_nothing_is_written_outside_of_the_directory(tmp_path: Path) -> None:
    """W35: a member called ../../llama-swap is only ever copied to its one place."""
    archive = tape(("../../llama-swap", PROGRAM, ""), ("/etc/llama-swap", b"x", ""))
    with releases(archive) as environ:
        install(environ, tmp_path / "a" / "b" / "bin")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        ".llama-swap.lock",
        "llama-swap",
    ]
    assert (tmp_path / "a" / "b" / "bin" / "llama-swap").read_bytes() == PROGRAM


def test_a_zip_is_read_in_the_same_way(tmp_path: Path) -> None:
    """The Windows asset is one."""
    from llmstack.hub.swap_binary import _extract

    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("../llama-swap.exe", b"program")
    _extract(path, "llama-swap.exe", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"program"


def test_the_checksum_is_that_of_the_very_asset() -> None:
    """A name that only ends like it does not count."""
    text = f"{'a' * 64}  x-llama-swap_1.zip\n{'B' * 64} *llama-swap_1.zip\n"
    assert checksum_of("llama-swap_1.zip", text) == "b" * 64
    with pytest.raises(DownloadError, match="no checksum"):
        checksum_of("llama-swap_2.zip", text)


def test_no_network_is_a_message(tmp_path: Path) -> None:
    """It names the proxy variables and the mirror."""
    environ = {"LLAMA_SWAP_RELEASES": "http://127.0.0.1:9/r"}
    with pytest.raises(DownloadError, match="does not answer") as caught:
        install(environ, tmp_path)
    assert "HTTPS_PROXY" in caught.value.fix


def test_a_download_over_tls_never_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive and its checksum come the same way."""
    landed = SimpleNamespace(geturl=lambda: "http://other/tag/v210", close=lambda: None)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: landed)
    with pytest.raises(DownloadError, match="led to http://other"):
        latest_tag({"LLAMA_SWAP_RELEASES": "https://h/releases"})


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_an_answer_that_is_none_is_a_message(tmp_path: Path, answer: bytes) -> None:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(answer)

    with TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        environ = {
            "LLAMA_SWAP_RELEASES": f"http://127.0.0.1:{server.server_address[1]}/r",
            "LLAMA_SWAP_VERSION": "v210",
        }
        try:
            with pytest.raises(DownloadError):
                install(environ, tmp_path)
            with suppress(DownloadError):
                _download(environ["LLAMA_SWAP_RELEASES"], tmp_path / "x", lambda *_: None)
        finally:
            server.shutdown()
            thread.join()
