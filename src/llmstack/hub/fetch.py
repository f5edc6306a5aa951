"""One file from the model hub into its cache, so that a cut or killed download goes on later.

huggingface_hub itself begins again after it was killed, which for 45 GB is no answer. So the bytes
are fetched with its own ``http_get`` into a partial file that is named after the content; once
complete and checked it is moved to where huggingface_hub keeps content, and that library then makes
the links of its cache.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self

from llmstack.errors import DownloadError
from llmstack.hub.file_lock import locked
from llmstack.hub.remote_file import cache_dir, download_headers, hub_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstack.hub.remote_file import RemoteFile

#: Bytes that are hashed at a time.
CHUNK = 4 * 1024 * 1024


def blob_path(remote: RemoteFile) -> Path:
    """Where the content of ``remote`` is, or will be."""
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=remote.file.repo, repo_type="model")
    return cache_dir() / folder / "blobs" / remote.etag


def part_path(remote: RemoteFile) -> Path:
    """Where the content is while it is not complete."""
    blob = blob_path(remote)
    return blob.with_name(f"{blob.name}.llmstack.incomplete")


def _lock_path(remote: RemoteFile) -> Path:
    folder = blob_path(remote).parent.parent
    return folder.parent / ".locks" / folder.name / f"{remote.etag}.llmstack.lock"


def fetched_bytes(remote: RemoteFile) -> int:
    """How many bytes of ``remote`` are here already."""
    if blob_path(remote).is_file():
        return remote.size
    part = part_path(remote)
    return min(part.stat().st_size, remote.size) if part.is_file() else 0


def fetch(remote: RemoteFile, progress: Callable[[int], None]) -> Path:
    """Fetch what is missing of ``remote``; its path in the cache.

    ``progress`` is told the number of bytes that came, negative where some had to be given up; an
    exception of its own ends the download, which goes on from there another time. A second call
    for the same file, also in another process, waits and then finds it there.

    Raises:
        DownloadError: it cannot be had, or is not what the hub says it is.
        OSError: the disk is full or cannot be written.
    """
    from huggingface_hub import hf_hub_download

    blob = blob_path(remote)
    with locked(_lock_path(remote)):
        if not blob.is_file():
            blob.parent.mkdir(parents=True, exist_ok=True)
            _fill(remote, progress)
            _check(remote, part_path(remote), progress)
            part_path(remote).replace(blob)
        with hub_errors(remote.file):
            # All bytes are here: this only links them, for the commit that they belong to.
            return _path(hf_hub_download(remote.file.repo, remote.file.name))


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


def _fill(remote: RemoteFile, progress: Callable[[int], None]) -> None:
    from huggingface_hub.file_download import http_get

    part = part_path(remote)
    # Unbuffered: what has come is on the disk when the process is killed.
    with part.open("ab", buffering=0) as stream:
        have = stream.tell()
        if have > remote.size:
            stream.truncate(0)
            have = 0

        def counted(count: int) -> None:
            nonlocal have
            have += count
            progress(count)
            if have > remote.size:  # else it could go on until the disk is full
                raise DownloadError(
                    f"{remote.file} is longer than the hub says",
                    why=f"More than {remote.size} bytes came.",
                    fix="Fetch it again.",
                )

        with hub_errors(remote.file):
            http_get(
                remote.location,
                stream,
                resume_size=have,
                headers=download_headers(remote),
                expected_size=remote.size,
                displayed_filename=remote.file.name,
                tqdm_class=_reporter(counted),
            )


def _check(remote: RemoteFile, part: Path, progress: Callable[[int], None]) -> None:
    """Compare the checksum; a file that is something else is removed."""
    if remote.sha256 is None:
        return
    digest = hashlib.sha256()
    with part.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            progress(0)
    if digest.hexdigest() != remote.sha256:
        part.unlink()
        raise DownloadError(
            f"{remote.file} is not what the hub says it is",
            why=f"SHA-256 is {digest.hexdigest()}, and should be {remote.sha256}.",
            fix="It was removed; fetch it again.",
        )


def _reporter(progress: Callable[[int], None]) -> type:
    """A progress bar, as ``http_get`` wants one, that only reports."""

    class Reporter:
        def __init__(self, **_: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            progress(count)

    return Reporter
