"""Data URLs of any writing, and nothing that a server would open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects.translation.data_url import (
    is_web,
    read_data_url,
    read_file_data,
    write_data_url,
)


@given(st.binary(min_size=1))
def test_what_is_written_is_read(data: bytes) -> None:
    url = write_data_url("image/png", data)
    assert read_data_url(url) == read_file_data(url) == ("image/png", data)
    assert read_file_data(url.partition(",")[2]) == ("", data)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("DATA:Image/PNG;Base64,eA==", ("image/png", b"x")),
        ("data:text/plain;charset=utf-8;base64,e\nA ==", ("text/plain", b"x")),
        ("data:text/plain,a%20b", ("text/plain", b"a b")),
        ("data:;base64,eA==", ("", b"x")),
        *[(url, None) for url in ("data:image/png;base64,", "data:,", "data:x", "", "x")],
        *[(f"data:image/png;base64,{text}", None) for text in ("eA", "e$==", "eA==eA==", "ä")],
        ("https://a.example/x", None),
    ],
)
def test_what_a_url_holds(url: str, found: object) -> None:
    assert read_data_url(url) == found


@pytest.mark.parametrize("url", ["file:///x", "s3://a/b", "//a/b", "httpx://a", "", "ftp://a"])
def test_what_is_not_the_web(url: str) -> None:
    assert not is_web(url)
    assert is_web("HTTPS://a")
