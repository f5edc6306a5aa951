"""What a hub says of a file is not believed where it would lead somewhere else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

import huggingface_hub
import pytest

from llmstack.errors import DownloadError
from llmstack.hub.fetch import fetch
from llmstack.hub.hub_file import HubFile
from llmstack.hub.remote_file import RemoteFile, describe_file, download_headers

if TYPE_CHECKING:
    from pathlib import Path

FILE = HubFile("o/r", "f.gguf")


@pytest.mark.parametrize("etag", ["../../../x", "/etc/x", "a/b", "..", "a\\b", "a\0b", "a" * 200])
def test_a_checksum_never_names_a_file_elsewhere(
    etag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is written to a file that is named after it."""
    found = SimpleNamespace(size=1, etag=etag, commit_hash="c", location=None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: found)
    with pytest.raises(DownloadError, match="cannot be"):
        describe_file(FILE)


def test_a_token_goes_neither_to_another_host_nor_over_plain_http(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer may redirect to the hub's own name without TLS."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    own = huggingface_hub.hf_hub_url(FILE.repo, FILE.name)

    def shown(location: str) -> str | None:
        headers = download_headers(RemoteFile(FILE, 1, "e", "c", location))
        return headers.get("authorization")

    assert own.startswith("https://")
    assert shown(own) == "Bearer hf_secret"
    assert shown(own.replace("https://", "http://")) is None
    assert shown("https://cdn.example/f") is None


def test_a_file_that_never_ends_does_not_fill_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """huggingface_hub compares sizes only once everything has come."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    came = 0

    def endless(_url: str, stream: IO[bytes], *, tqdm_class: Any, **_: object) -> None:
        nonlocal came
        with tqdm_class() as bar:
            for _step in range(1000):
                came += stream.write(b"x" * 10)
                bar.update(10)

    monkeypatch.setattr("huggingface_hub.file_download.http_get", endless)
    with pytest.raises(DownloadError, match="longer than"):
        fetch(RemoteFile(FILE, 35, "e" * 40, "c", "https://h/f"), lambda _: None)
    assert came == 40
