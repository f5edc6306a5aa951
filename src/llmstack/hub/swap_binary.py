"""The llama-swap program, for those who want ``engine = llama-swap``."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING

from llmstack.errors import DownloadError
from llmstack.hub.file_lock import locked
from llmstack.hub.swap_release import RELEASES, checksum_of, release_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.client import HTTPResponse

    from llmstack.hub.swap_release import Release

#: Seconds without a byte after which a download has failed.
LIMIT = 30.0

#: Bytes of an archive, and of the program in it, that are believed.
LARGEST = 300 * 1024 * 1024

#: Bytes that are read at a time.
CHUNK = 256 * 1024

_VERSION = re.compile(r"version:?\s*v?(\d+)(?![\d.])")


def bin_dir(environ: Mapping[str, str], data_dir: Path) -> Path:
    """Where programs are installed: ``LLMSTACK_BIN_DIR``, else ``bin`` of the data directory."""
    chosen = environ.get("LLMSTACK_BIN_DIR")
    return Path(chosen).expanduser().absolute() if chosen else data_dir / "bin"


def find_llama_swap(
    environ: Mapping[str, str],
    data_dir: Path,
    which: Callable[[str], str | None] = shutil.which,
) -> Path | None:
    """The llama-swap to run: the installed one, else the one on PATH, else None."""
    for name in ("llama-swap", "llama-swap.exe"):
        path = bin_dir(environ, data_dir) / name
        if path.is_file():
            return path
    found = which("llama-swap")
    return Path(found) if found else None


def installed_number(program: Path) -> int | None:
    """The release that ``program`` says it is, None when it does not say."""
    try:
        done = subprocess.run(
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = _VERSION.search(done.stdout + done.stderr)
    return int(match[1]) if match else None


def latest_tag(environ: Mapping[str, str]) -> str:
    """The tag of the newest release.

    Raises:
        DownloadError: it cannot be found out.
    """
    url = f"{_releases(environ)}/latest"
    with _open(url) as answer:
        landed = answer.geturl()
    tag = landed.rstrip("/").rpartition("/tag/")[2]
    if "/" in tag or not tag:
        raise DownloadError(
            "the newest llama-swap cannot be found out",
            why=f"{url} led to {landed}",
            fix="Name a release in LLAMA_SWAP_VERSION.",
        )
    return tag


def install_llama_swap(
    release: Release,
    directory: Path,
    environ: Mapping[str, str],
    progress: Callable[[int, int], None],
) -> Path:
    """Fetch ``release``, check it, and put its program into ``directory``; the program's path.

    ``progress`` is told the bytes that came and their sum, 0 when unknown. The program is in place
    only when all went well.

    Raises:
        DownloadError: it cannot be had, or is not what its checksum says.
        OSError: ``directory`` cannot be written.
    """
    base = f"{_releases(environ)}/download/{release.tag}"
    directory.mkdir(parents=True, exist_ok=True)
    with (
        locked(directory / ".llama-swap.lock"),
        tempfile.TemporaryDirectory(prefix=".llama-swap-", dir=directory) as folder,
    ):
        with _open(f"{base}/{release.checksums}") as answer:
            expected = checksum_of(release.asset, _text(answer))
        archive = Path(folder) / release.asset
        digest = _download(f"{base}/{release.asset}", archive, progress)
        if digest != expected:
            raise DownloadError(
                f"{release.asset} is not what its release says it is",
                why=f"SHA-256 is {digest}, and should be {expected}.",
                fix="Nothing was installed. Try again; if it stays so, tell llama-swap's makers.",
            )
        fresh = Path(folder) / "fresh"
        _extract(archive, release.program, fresh)
        fresh.chmod(0o755)
        return fresh.replace(directory / release.program)


def asked_release(environ: Mapping[str, str], platform: str, machine: str) -> Release:
    """The release that ``LLAMA_SWAP_VERSION`` names, else the newest, for this machine.

    Raises:
        DownloadError: there is none.
    """
    tag = environ.get("LLAMA_SWAP_VERSION") or latest_tag(environ)
    return release_for(tag, platform, machine)


def _releases(environ: Mapping[str, str]) -> str:
    url = (environ.get("LLAMA_SWAP_RELEASES") or RELEASES).rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"LLAMA_SWAP_RELEASES is no address: {url!r}")
    return url


def _open(url: str) -> HTTPResponse:
    """The answer to a GET. Proxies are those of the environment."""
    try:
        answer: HTTPResponse = urllib.request.urlopen(url, timeout=LIMIT)  # noqa: S310 - checked
    except urllib.error.HTTPError as error:
        raise DownloadError(
            f"{url} answered {error.code}", fix="Does that release exist? See LLAMA_SWAP_VERSION."
        ) from error
    except (OSError, ValueError, HTTPException) as error:
        raise DownloadError(
            f"{url} does not answer",
            why=str(error),
            fix="Check the network and HTTPS_PROXY, or name a mirror in LLAMA_SWAP_RELEASES.",
        ) from error
    if url.startswith("https://") and not answer.geturl().startswith("https://"):
        answer.close()
        raise DownloadError(
            f"{url} led to {answer.geturl()}",
            why="On the way from there, a program and its checksum could be replaced.",
            fix="Name a mirror in LLAMA_SWAP_RELEASES.",
        )
    return answer


def _text(answer: HTTPResponse) -> str:
    try:
        return answer.read(CHUNK).decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        raise DownloadError("the release's checksums stopped coming", why=str(error)) from error


def _download(url: str, path: Path, progress: Callable[[int, int], None]) -> str:
    """Write what ``url`` sends to ``path``; its SHA-256."""
    digest, done = hashlib.sha256(), 0
    with _open(url) as answer, path.open("wb") as stream:
        told = answer.headers.get("Content-Length") or ""
        size = int(told) if told.isascii() and told.isdecimal() else 0
        try:
            while chunk := answer.read(CHUNK):
                done += len(chunk)
                if done > LARGEST:
                    raise DownloadError(f"{url} is larger than {LARGEST >> 20} MiB")
                digest.update(chunk)
                stream.write(chunk)
                progress(done, size)
        except (TimeoutError, HTTPException) as error:
            raise DownloadError(f"{url} stopped sending", why=str(error)) from error
    if size and done != size:
        raise DownloadError(f"{url} broke off", why=f"{done} of {size} bytes came.")
    return digest.hexdigest()


def _extract(archive: Path, program: str, target: Path) -> None:
    """Copy the one regular file called ``program`` out of ``archive``, wherever it says it is.

    Nothing else is taken out and no path of the archive is followed, so that nothing can be
    written anywhere else; a link of that name is not the program.
    """
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as bundle:
                for info in bundle.infolist():
                    if Path(info.filename).name == program and not info.is_dir():
                        with bundle.open(info) as source:
                            _copy(source, target)
                        return
        else:
            with tarfile.open(archive) as tape:
                for member in tape:
                    content = tape.extractfile(member) if member.isreg() else None
                    if content and Path(member.name).name == program:
                        _copy(content, target)
                        return
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise DownloadError(f"{archive.name} cannot be unpacked", why=str(error)) from error
    raise DownloadError(f"{archive.name} holds no program {program}")


def _copy(source: IO[bytes], target: Path) -> None:
    left = LARGEST
    with target.open("xb") as stream:
        while chunk := source.read(min(CHUNK, left)):
            stream.write(chunk)
            left -= len(chunk)
        if left <= 0:
            raise DownloadError("the program in the archive is too large to be one")
