"""What is shown of a command or a log line holds no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.redact import hide, is_secret_name, masked, masked_env, secrets_in


@pytest.mark.parametrize(
    ("cmd", "shown"),
    [
        ("server --api-key abc -m x", "server --api-key *** -m x"),
        ("server --api-key=abc -m x", "server --api-key=*** -m x"),
        ("server --api-key 'a b' -m x", "server --api-key *** -m x"),
        ('server --api-key "a \\" b" -m x', "server --api-key *** -m x"),
        ("server --api-key \\\n  abc -m x", "server --api-key \\\n  *** -m x"),
        (
            "server --api_key abc --hf-token t -hft u",
            "server --api_key *** --hf-token *** -hft ***",
        ),
        ("server -api-key abc --password=p", "server -api-key *** --password=***"),
        ("docker run -e HF_TOKEN=hf -e A=1 x", "docker run -e HF_TOKEN=*** -e A=1 x"),
        ("docker run --env=API_KEY=k x", "docker run --env=API_KEY=*** x"),
        ("env OPENAI_API_KEY='a b' python x.py", "env OPENAI_API_KEY=*** python x.py"),
        ("curl -H 'Authorization: Bearer abc' x", "curl -H 'Authorization: ***' x"),
        ("curl -H x-api-key:abc x", "curl -H x-api-key:*** x"),
        ("bad token Bearer abc.def", "bad token Bearer ***"),
        ("git clone https://me:pw@host/x", "git clone https://me:***@host/x"),
        ("token hf_abcdefghijklmnop failed", "token *** failed"),
        ("server --api-key-file /run/key -m x", "server --api-key-file /run/key -m x"),
        ("server --max-tokens 100 --tokenizer x", "server --max-tokens 100 --tokenizer x"),
        ("server -m /models/token-classifier.gguf", "server -m /models/token-classifier.gguf"),
        ("server --keyboard KEYBOARD=us MONKEY=1", "server --keyboard KEYBOARD=us MONKEY=1"),
    ],
)
def test_what_is_named_like_a_secret_is_hidden(cmd: str, shown: str) -> None:
    assert masked(cmd) == shown
    assert masked(shown) == shown


def test_known_values_are_hidden_wherever_they_stand() -> None:
    secrets = frozenset({"s3cret", "s3cret-long"})
    assert masked("x --a s3cret-long/s3cret.gguf", secrets) == "x --a ***/***.gguf"
    assert hide("nothing here", secrets) == "nothing here"


def test_the_environment_of_a_process_is_hidden_by_name() -> None:
    entries = ("HF_TOKEN=a b c", "CUDA_VISIBLE_DEVICES=0", "X=s3cret", "PASSWORD=", "odd")
    assert masked_env(entries, frozenset({"s3cret"})) == (
        "HF_TOKEN=***",
        "CUDA_VISIBLE_DEVICES=0",
        "X=***",
        "PASSWORD=",
        "odd",
    )


def test_a_short_value_counts_only_if_its_name_says_so() -> None:
    values = {"GPU": "0", "HF_TOKEN": "abcd", "PIN_KEY": "1", "MODEL_DIR": 'a\\"long'}
    assert secrets_in(values) == {"abcd"}
    assert secrets_in({"DIR": 'a\\long"value'}) == {'a\\long"value', 'a\\\\long\\"value'}


@pytest.mark.parametrize("name", ["KEY", "API_KEY", "hf-token", "DB_PASSWORD", "openaiApiKey"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["PATH", "KEYBOARD", "TOKENIZER", "MONKEY", "HOME"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


@given(
    st.text(max_size=60),
    st.frozensets(st.text("abcXYZ-._/", min_size=4, max_size=12), max_size=3),
    st.text(max_size=20),
)
def test_no_known_secret_survives(before: str, secrets: frozenset[str], after: str) -> None:
    shown = masked(before + " ".join(secrets) + after, secrets)
    assert not any(secret in shown for secret in secrets)


@given(st.text("abc=-'\" \\\nKEY:/@", max_size=80))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    once = masked(text)
    assert masked(once) == once
