"""Headers are shown once each and without secrets."""

from __future__ import annotations

import pytest

from llmstack.activity import shown_headers


def test_the_first_value_of_each_header_is_shown_by_its_canonical_name() -> None:
    headers = [(b"content-type", b"a"), (b"Content-Type", b"b"), (b"x-a", b"\xe9"), (b"x-a", b"2")]
    assert shown_headers(headers) == {"Content-Type": "a", "X-A": "é"}


@pytest.mark.top40(30, "headers are redacted")
def test_secrets_are_redacted() -> None:
    names = [b"Authorization", b"proxy-authorization", b"cookie", b"SET-COOKIE", b"x-api-key"]
    shown = shown_headers([(name, b"hush") for name in names])
    assert set(shown.values()) == {"[REDACTED]"}
    assert len(shown) == 5


def test_other_names_of_keys_are_known_and_counts_of_tokens_are_no_secret() -> None:
    secret = [b"api-key", b"x-goog-api-key", b"X-Auth-Token", b"sec-websocket-protocol"]
    plain = [b"x-llmstack-tokens", b"x-ratelimit-remaining-tokens", b"sec-websocket-key"]
    shown = shown_headers([(name, b"hush") for name in (*secret, *plain)])
    assert list(shown.values()) == ["[REDACTED]"] * 4 + ["hush"] * 3


def test_some_are_left_out() -> None:
    headers = [(b"Content-Encoding", b"gzip"), (b"a", b"1")]
    assert shown_headers(headers, without=["content-encoding"]) == {"A": "1"}
