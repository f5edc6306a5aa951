"""Where the APIs are below what users write as ``base_url``."""

from __future__ import annotations

import pytest

from llmstack.backends.address import address_of
from tests.backends.open_house import ask


@pytest.mark.parametrize(
    ("written", "url", "base"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1", "https://api.openai.com"),
        ("https://openrouter.ai/api", "https://openrouter.ai/api/v1", "https://openrouter.ai/api"),
        ("http://host:1234//", "http://host:1234/v1", "http://host:1234"),
        ("http://v1/", "http://v1/v1", "http://v1"),
        ("http://host/v1beta/openai/", "http://host/v1beta/openai", "http://host"),
        ("http://host/paas/v4", "http://host/paas/v4", "http://host/paas"),
        ("http://host/openai/v1", "http://host/openai/v1", "http://host/openai"),
        ("http://host/v1x", "http://host/v1x/v1", "http://host/v1x"),
    ],
)
def test_the_version_is_the_users_or_v1(written: str, url: str, base: str) -> None:
    address = address_of(written)
    assert (address.url, address.base) == (url, base)
    assert address.target(ask()) == (url, b"/chat/completions")
    assert address.target(ask("/props")) == (base, b"/props")


def test_another_spelling_of_a_known_path_is_mended() -> None:
    address = address_of("http://host")
    assert address.target(ask(target="/v/chat/completions?a=1")) == (
        "http://host/v1",
        b"/chat/completions?a=1",
    )
