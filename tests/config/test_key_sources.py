"""Keys as people and this program write them: nothing is guessed, and no problem repeats a key."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.access_key import (
    NAME,
    AccessKey,
    parse_expiry,
    parse_name,
    parse_rate,
)
from llmstack.config.key_sources import (
    merged,
    parse_config_json,
    parse_key_file,
    parse_variable,
)
from llmstack.config.numbers import BadValueError
from llmstack.errors import ConfigError

SECRET = "a-secret-that-nobody-may-read"
DIGEST = sha256(SECRET.encode()).hexdigest()

_times = st.none() | st.integers(0, 10**10)
keys = st.builds(
    AccessKey,
    name=st.from_regex(NAME, fullmatch=True).filter(lambda name: name.lower() != "local"),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    models=st.none() | st.lists(st.text("abc/.-:", min_size=1), min_size=1, unique=True).map(tuple),
    admin=st.booleans(),
    prefix=st.text("abc-", max_size=16),
    created=_times,
    expires=_times,
    rate=st.none() | st.integers(1, 10**6),
)


def config(value: Any) -> tuple[AccessKey, ...]:
    return parse_config_json(json.dumps(value), "config.json")


@given(st.lists(keys, unique_by=(lambda key: key.name, lambda key: key.sha256)))
def test_what_is_written_is_read_again(some: list[AccessKey]) -> None:
    text = json.dumps({"keys": [key.to_json() for key in some]})
    assert parse_key_file(text, "keys.json") == tuple(some)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["keys", "name", "key", "sha256", "models", "admin", "rate", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_any_json_is_keys_or_a_problem(value: Any) -> None:
    for parse in (parse_key_file, parse_config_json):
        with suppress(ConfigError):
            for key in parse(json.dumps(value), "file"):
                assert len(key.sha256) == 64
                assert key.models is None or key.models


@given(st.binary(max_size=60))
def test_any_bytes_are_keys_or_a_problem(data: bytes) -> None:
    for parse in (parse_key_file, parse_config_json):
        with suppress(ConfigError):
            parse(data, "file")


@pytest.mark.parametrize(
    "value",
    [
        [SECRET],
        {"keys": [SECRET], "port": 3000},
        {"apiKeys": [SECRET]},
        {"api_keys": [{"key": SECRET}]},
        {"keys": [{"sha256": DIGEST.upper()}]},
        {"keys": {"config-1": SECRET}},
        {"keys": {"config-1": {"key": SECRET}}},
    ],
)
def test_a_config_json_may_have_its_keys_in_several_shapes(value: Any) -> None:
    """Keys in the clear have all models, and operations only if it says so."""
    (key,) = config(value)
    assert (key.name, key.sha256, key.models, key.admin) == ("config-1", DIGEST, None, False)
    assert key.source == "config.json"
    assert SECRET not in repr(key)


def test_a_config_json_may_limit_its_keys() -> None:
    entry = {
        "name": "boss",
        "key": SECRET,
        "models": ["auto"],
        "admin": True,
        "expires": "2030-01-31",
        "rate": "60/min",
    }
    (key,) = config([entry])
    assert (key.name, key.models, key.admin) == ("boss", ("auto",), True)
    assert (key.expires, key.rate) == (1_896_048_000, 60)


def test_the_variable_has_keys_between_commas() -> None:
    found = parse_variable(f" {SECRET} ,another-one,, ")
    assert [key.name for key in found] == ["env-1", "env-2"]
    assert [key.admin for key in found] == [False, False]
    assert parse_variable("") == parse_variable(" , ") == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"key": SECRET}, "it has no keys"),
        ({"keys": SECRET}, "keys is no list"),
        ([3], "neither a text nor an object"),
        ([{"key": SECRET, "model": "a"}], "unknown member, 'model'"),
        ([{"key": SECRET, "models": "a"}], "no list of names"),
        ([{"key": SECRET, "models": []}], "no list of names"),
        ([{"key": SECRET, "admin": "yes"}], "neither true nor false"),
        ([{"key": SECRET, "rate": 0}], "no rate"),
        ([{"key": SECRET, "rate": True}], "no rate"),
        ([{"key": SECRET, "expires": "90d"}], "no time at which a key could end"),
        ([{"key": SECRET, "expires": True}], "no time"),
        ([{"key": SECRET, "name": "a b"}], "not a name for a key"),
        ([{"key": SECRET, "name": "local"}], "this machine's own programs"),
        ([{"key": SECRET, "sha256": DIGEST}], "one of key and sha256"),
        ([{"name": "x"}], "one of key and sha256"),
        ([{"sha256": "abc"}], "64 hexadecimal digits"),
        ([""], "is no key"),
        (["two words"], "is no key"),
        (["schl\u00fcssel"], "is no key"),
        (["sk-no-key-required"], "placeholder"),
        ([SECRET, SECRET], "the same key"),
        ([{"name": "a", "key": SECRET}, {"name": "a", "key": "other"}], "the same name"),
    ],
)
def test_what_is_not_understood_is_a_problem_and_never_a_wider_key(
    value: Any, problem: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        config(value)
    assert problem in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[]", '{"keys": 3}', '{"keys": [{"name": "a", "key": "x"}]}', "\x00"]
)
def test_a_key_file_holds_digests_and_nothing_else(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_key_file(text, "keys.json")


def test_of_two_sources_the_first_has_key_and_name() -> None:
    one = AccessKey("a", "1" * 64, admin=True)
    same = AccessKey("b", "1" * 64)
    named = AccessKey("a", "2" * 64)
    assert merged((one,), (same, named)) == (one, AccessKey("a-2", "2" * 64))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600), ("1y", 31_536_000)],
)
def test_a_key_may_end_after_a_while(text: str, seconds: int) -> None:
    assert parse_expiry(text, 1000.5) == 1000 + seconds


def test_a_key_may_end_on_a_day() -> None:
    assert parse_expiry("1970-01-02", 0) == 86_400
    assert parse_expiry("1970-01-02T00:00:00+01:00", None) == 82_800


@given(st.text(max_size=12))
def test_a_wrong_word_is_refused_in_one_way_only(text: str) -> None:
    for parse in (parse_name, parse_rate, lambda text: parse_expiry(text, 0)):
        with suppress(BadValueError):
            parse(text)


@pytest.mark.parametrize("text", ["", "0d", "d", "90", "90x", "-1d", "tomorrow", "1e3d"])
def test_what_is_no_time_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadValueError):
        parse_expiry(text, 0)


def test_a_rate_is_requests_a_minute() -> None:
    assert parse_rate("60") == parse_rate("60/min") == parse_rate(" 60/minute ") == 60
    for text in ("0", "1/h", "60 / min", "many", "9999999999"):
        with pytest.raises(BadValueError):
            parse_rate(text)
