"""Ollama's address in every spelling that people use, and in none that would send us elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.backends.ollama_address import DEFAULT, address, candidates, is_ours

SPELLINGS = {
    "127.0.0.1": "http://127.0.0.1:11434",
    "gpu": "http://gpu:11434",
    "GPU.local:1234": "http://gpu.local:1234",
    ":1234": "http://127.0.0.1:1234",
    "0.0.0.0": "http://127.0.0.1:11434",
    "0.0.0.0:1234": "http://127.0.0.1:1234",
    "http://0.0.0.0:1234/": "http://127.0.0.1:1234",
    "::": "http://[::1]:11434",
    "[::]:1234": "http://[::1]:1234",
    "::1": "http://[::1]:11434",
    "[::1]": "http://[::1]:11434",
    "[fe80::1]:80": "http://[fe80::1]:80",
    "http://gpu": "http://gpu:80",
    "https://gpu": "https://gpu:443",
    "HTTPS://gpu:8443//": "https://gpu:8443",
    "https://gpu/ollama/": "https://gpu:443/ollama",
    "gpu/a/b": "http://gpu:11434/a/b",
    "http://gpu:11434/v1": "http://gpu:11434",
    " 'gpu:1' ": "http://gpu:1",
    '"gpu:1"': "http://gpu:1",
    "gpu:nonsense": "http://gpu:11434",
    "gpu:0": "http://gpu:11434",
    "gpu:65536": "http://gpu:11434",
    "https://gpu:65536": "https://gpu:443",
    "http://": "http://127.0.0.1:80",
}
HOSTILE = [
    "ftp://gpu",
    "file:///etc/passwd",
    "unix:///run/ollama.sock",
    "http://user:secret@gpu",
    "user@gpu",
    "gpu\r\nX-Evil: 1",
    "gpu\x00",
    "gpu name",
    "gpu?x=1",
    "gpu#x",
    "gpu/../etc",
    "gpu/%2e%2e",
    "gpu/a b",
    "-gpu",
    "a" * 300,
    "[::1",
    "[gpu]x",
    "1:2:3",
]


@pytest.mark.parametrize("written", SPELLINGS)
def test_every_spelling_of_ollama_is_understood(written: str) -> None:
    assert address(written) == SPELLINGS[written]


@pytest.mark.parametrize("written", HOSTILE)
def test_what_is_no_address_is_refused(written: str) -> None:
    assert address(written) == ""


@given(st.text(max_size=60))
def test_whatever_is_written_only_a_plain_url_comes_out(written: str) -> None:
    found = address(written)
    if found:
        parts = urlsplit(found)
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert parts.port
        assert parts.netloc.count("@") == 0
        assert parts.query == parts.fragment == ""
        assert found.isascii()
        assert found.isprintable()
        assert " " not in found


@given(st.sampled_from([*SPELLINGS]))
def test_an_address_that_came_out_stays_as_it_is(written: str) -> None:
    assert address(address(written)) == address(written)


def test_another_machine_may_have_one_of_our_ports() -> None:
    ports = frozenset({11434})
    assert is_ours("http://[::1]:11434", ports)
    assert is_ours("http://127.0.0.1:11434/x", ports)
    assert not is_ours("http://gpu:11434", ports)
    assert not is_ours("http://10.0.0.1:11434", ports)
    assert not is_ours("http://127.0.0.1:11435", ports)


def test_variables_name_places_before_the_usual_one() -> None:
    environ = {"OLLAMA_HOST": "0.0.0.0:999", "LLAMASWAP_OLLAMA_ENDPOINT": "http://gpu:1"}
    assert candidates("", environ) == ("http://gpu:1", "http://127.0.0.1:999", DEFAULT)
    assert candidates("", {}) == (DEFAULT,)
    assert candidates("", {"OLLAMA_HOST": "127.0.0.1"}) == (DEFAULT,)
    assert candidates("", {"OLLAMA_HOST": "ftp://x"}) == (DEFAULT,)


def test_a_setting_is_the_only_place() -> None:
    assert candidates("gpu:5", {"OLLAMA_HOST": "other"}) == ("http://gpu:5",)
    assert candidates("ftp://gpu", {"OLLAMA_HOST": "other"}) == ()
