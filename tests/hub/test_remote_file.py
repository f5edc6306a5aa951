"""What a hub says of a file is not believed where it would lead somewhere else."""

from __future__ import annotations

from types import SimpleNamespace

import huggingface_hub
import pytest

from llmstack.errors import DownloadError
from llmstack.hub.hub_file import HubFile
from llmstack.hub.remote_file import RemoteFile, describe_file, download_headers

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
