"""What the model hub says of a file. huggingface_hub is imported on first use: it takes 0.2 s."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmstack.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmstack.hub.hub_file import HubFile

#: Seconds that the hub has to describe a file.
LIMIT = 15.0

# It becomes the name of a file, so that no hub may put a path there.
_ETAG = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.+=-]{0,127}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub has it now.

    ``size`` is in bytes. ``etag`` names the content; for large files it is the SHA-256.
    ``location`` is where the bytes are, which may be another host.
    """

    file: HubFile
    size: int
    etag: str
    commit: str
    location: str

    @property
    def sha256(self) -> str | None:
        """The checksum of the content, where the hub tells it."""
        return self.etag if len(self.etag) == 64 else None


def describe_file(file: HubFile) -> RemoteFile:
    """Ask the hub about ``file``.

    Raises:
        DownloadError: there is no such file, it is not open to this user, or the hub does not
            answer.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(file.repo, file.name)
    with hub_errors(file):
        found = get_hf_file_metadata(url, timeout=LIMIT)
    if found.size is None or not found.etag or not found.commit_hash:
        raise DownloadError(f"the hub does not describe {file}", why="Size or checksum is missing.")
    if found.size < 0 or _ETAG.fullmatch(found.etag) is None:
        raise DownloadError(
            f"the hub describes {file} in a way that cannot be",
            why=f"Its size is {found.size}, its checksum {found.etag[:100]!r}.",
            fix="Is HF_ENDPOINT, or a proxy, what you mean it to be?",
        )
    return RemoteFile(file, found.size, found.etag, found.commit_hash, found.location or url)


def download_headers(remote: RemoteFile) -> dict[str, str]:
    """The headers of a request for the bytes; credentials go to the hub's own host only."""
    from huggingface_hub import hf_hub_url, utils

    headers: dict[str, str] = utils.build_hf_headers()  # type: ignore[attr-defined]  # no alias
    own, other = urlsplit(hf_hub_url(remote.file.repo, remote.file.name)), urlsplit(remote.location)
    if (other.scheme, other.netloc) != (own.scheme, own.netloc):
        headers.pop("authorization", None)
    return {**headers, "Accept-Encoding": "identity"}


def cache_dir() -> Path:
    """The hub's cache on this machine, which llama-server's ``-hf`` reads too."""
    from pathlib import Path

    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def cached_path(file: HubFile) -> Path | None:
    """Where ``file`` is in the cache, None if it is not there."""
    from pathlib import Path

    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repo, file.name)
    return Path(found) if isinstance(found, str) else None


@contextmanager
def hub_errors(file: HubFile) -> Iterator[None]:
    """Turn what huggingface_hub raises into ``DownloadError`` with what to do."""
    from huggingface_hub import errors

    page = f"the hub's page of {file.repo}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{file.repo} is gated",
            why="Its owner gives it only to those who have accepted the terms.",
            fix=f"Accept them on {page}, then put a token in HF_TOKEN, or run: hf auth login",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DownloadError(
            f"the hub has no repository {file.repo} that you may see",
            fix="Check hf_repo. For a private one put a token in HF_TOKEN, or run: hf auth login",
        ) from error
    except errors.EntryNotFoundError as error:
        raise DownloadError(
            f"{file.repo} has no file {file.name}", fix=f"Check hf_file against {page}."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise DownloadError(
            f"{file} is not here, and HF_HUB_OFFLINE forbids fetching it",
            fix="Unset HF_HUB_OFFLINE, or name a local file with path.",
        ) from error
    except errors.HfHubHTTPError as error:
        raise DownloadError(f"the hub refused {file}", why=str(error).strip()) from error
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError) or error.errno is not None:
            raise
        raise DownloadError(
            f"{file} cannot be fetched", why=str(error) or type(error).__name__
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("httpx2", "httpx", "httpcore2"):
            raise
        raise DownloadError(
            "the model hub does not answer",
            why=f"{type(error).__name__}: {error}",
            fix="Check the network and HTTPS_PROXY; what was fetched so far is kept.",
        ) from error
