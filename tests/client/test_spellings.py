"""Whatever a model or a token is called, it arrives as it is."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote, unquote

import httpx2
from hypothesis import given
from hypothesis import strategies as st

from llmstack.client import calls
from llmstack.client.address import read_dsn, read_url
from llmstack.errors import ClientNotConfigured

TOKENS = st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(str.strip)
MODELS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.lists(st.sampled_from(["a", ".", "..", "", "%2e", "?", "#", ";"]), min_size=1).map("/".join),
).filter(lambda name: name.strip("/"))


@given(MODELS)
def test_a_models_name_arrives_and_leads_nowhere_else(model: str) -> None:
    for call, route in ((calls.load(model), "load"), (calls.unload(model), "unload")):
        sent = httpx2.URL(f"http://127.0.0.1{call.path}").raw_path.decode()
        assert sent == call.path
        assert unquote(sent) == f"/api/models/{route}/{model}"
        assert sent.count("/") == 4 + model.count("/")


@given(TOKENS)
def test_a_token_arrives(token: str) -> None:
    assert read_dsn(f"llama-swap://{quote(token, safe='')}@host:1").token == token


@given(st.text() | st.text("/:@[]%?#.v1a").map("llama-swap://{}".format))
def test_no_address_is_worse_than_refused(text: str) -> None:
    for read in (read_dsn, lambda url: read_url(url, None)):
        with suppress(ClientNotConfigured):
            root = read(text).root
            assert not root or httpx2.URL(f"{root}/running").host
