"""W38: no credential stands in models.ini, which other machines may read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.keys import KEYS, is_secret
from llmstack.config.read_headers import carries_credential
from llmstack.config.variables import expand, holds_key, variables_in
from tests.config.stack_file import HUB, load, problems

HOSTED = "backend = openai\nbase_url = http://x\nmodel_name = m\nctx_size = 8k\n"
SOURCE = "[box]\nbackend = peer\nbase_url = http://b\n"


def errors(text: str) -> list[str]:
    return [str(one) for one in problems(text) if one.severity == "error"]


@pytest.mark.parametrize(
    "section", ["DEFAULT", "ROUTING", "gguf", "hosted", "box", "old", "routing", "a b"]
)
@pytest.mark.parametrize("key", ["api_key", "aws_secret_access_key", "my_credentials", "x-api-key"])
def test_w38_secrets_are_refused_in_every_section(section: str, key: str) -> None:
    """W38: also where the section is local, a source, left out, or no tier at all."""
    text = f"[DEFAULT]\n[ROUTING]\n[gguf]\n{HUB}[hosted]\n{HOSTED}{SOURCE}[old]\nmodel = a/b\n"
    if f"[{section}]" not in text:
        text += f"[{section}]\n"
    found = errors(text.replace(f"[{section}]\n", f"[{section}]\n{key} = hunter2\n"))
    assert len([one for one in found if "credentials" in one]) == 1
    assert not any("hunter2" in one for one in found)


def test_the_keys_that_name_a_variable_or_a_budget_are_no_secrets() -> None:
    names = {key.name for key in KEYS}
    assert {"api_key_env", "budget_usd_per_day", "budget_usd_per_month"} <= names
    assert not any(map(is_secret, names))


KEYS_OF_PROVIDERS = [
    "sk-or-v1-0123456789abcdef0123",
    "sk-ant-REDACTED",
    "hf_abcdefghijklmnopqrst",
    "gsk_abcdefghijklmnop1234",
    "AIzaSyA0123456789012345678901234567890",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefABCD",
    "d41d8cd98f00b204e9800998ecf8427e",
    "Zm9vYmFyMTIzNDU2Nzg5MA",
]


@pytest.mark.parametrize("key", KEYS_OF_PROVIDERS)
def test_a_key_in_the_place_of_its_variable_is_refused_and_not_repeated(key: str) -> None:
    (found,) = errors(f"[a]\n{HOSTED}api_key_env = {key}\n")
    assert "name of an environment variable" in found
    assert key not in found


@pytest.mark.parametrize(
    "name",
    ["OPENROUTER_API_KEY", "HF_TOKEN", "hf_key", "key", "MY_KEY_2", "_X", "SK_2024_KEY"],
)
def test_names_of_variables_are_taken(name: str) -> None:
    (tier,) = load(f"[a]\n{HOSTED}api_key_env = {name}\n").stack.tiers
    assert tier.hosted is not None
    assert tier.hosted.api_key_env == name


@pytest.mark.parametrize("written", ["$X_KEY", "${X_KEY}"])
def test_a_dollar_before_the_name_is_one_too_many(written: str) -> None:
    (found,) = errors(f"[a]\n{HOSTED}api_key_env = {written}\n")
    assert "Write X_KEY." in found


@pytest.mark.parametrize(
    "line",
    [
        "base_url = http://me:hunter2@host/v1",
        "base_url = http://hunter2@host",
        "base_url = http://host/?key=hunter2",
        "base_url = http://$USER:hunter2@host",
        "headers = Authorization: Bearer hunter2",
        "headers = authorization: hunter2",
        "headers = X-API-Key: hunter2",
        "headers = Cookie: hunter2",
        "headers = X-Some-Token: hunter2",
        "headers = X-A: 1, Api-Key: hunter2",
        "headers = Authorization: Bearer $KEY hunter2",
    ],
)
def test_credentials_in_addresses_and_headers_are_refused_and_not_repeated(line: str) -> None:
    hosted = HOSTED if line.startswith("headers") else HOSTED.replace("base_url = http://x\n", "")
    (found,) = errors(f"[a]\n{hosted}{line}\n")
    assert "hunter2" not in found


@pytest.mark.parametrize("key", KEYS_OF_PROVIDERS[:4])
@pytest.mark.parametrize("line", ["model_name = {}", "headers = X-Title: {}"])
def test_keys_of_a_known_form_are_found_elsewhere(line: str, key: str) -> None:
    text = f"[a]\n{HOSTED}".replace(
        "model_name = m\n", "" if "model" in line else "model_name = m\n"
    )
    (found,) = errors(f"{text}{line.format(key)}\n")
    assert key not in found


@pytest.mark.parametrize(
    "line",
    [
        "base_url = http://me:hunter2@host",
        "aws_endpoint_url = http://host/?key=hunter2",
        "headers = Authorization: Bearer hunter2",
        "api_key_env = hunter2 hunter2",
    ],
)
@pytest.mark.parametrize("section", ["DEFAULT", "ROUTING", "gguf", "old", "routing"])
def test_w38_values_that_nobody_reads_are_refused_too(section: str, line: str) -> None:
    """W38: the file is shown to others whether or not the key has an effect."""
    text = f"[DEFAULT]\n[ROUTING]\n[gguf]\n{HUB}[old]\nmodel = a/b\n[routing]\n"
    found = errors(text.replace(f"[{section}]\n", f"[{section}]\n{line}\n"))
    assert any(line.partition(" ")[0] in one for one in found)
    assert not any("hunter2" in one for one in found)


@pytest.mark.parametrize("key", KEYS_OF_PROVIDERS[:4])
@pytest.mark.parametrize("line", ["description = {}", "env = A={}", "unknown = {}"])
def test_w38_a_key_of_a_known_form_is_refused_in_any_value(line: str, key: str) -> None:
    (found,) = errors(f"[a]\n{HUB}{line.format(key)}\n")
    assert "credentials do not belong" in found
    assert key not in found


def test_a_secret_variable_is_not_put_into_what_is_shown() -> None:
    (found,) = errors(f"[a]\n{HOSTED.replace('= m', '= $OPENAI_API_KEY')}")
    assert "would be a credential" in found


TOKENS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: not carries_credential(name)
)
VALUES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ./=+-]{0,20}[A-Za-z0-9]", fullmatch=True).filter(
    lambda value: not holds_key(value)
)
OURS = {"connection", "host", "te", "trailer", "upgrade", "expect", "keep-alive", "content-length"}


@given(
    st.dictionaries(TOKENS.filter(lambda name: name.lower() not in OURS), VALUES, max_size=4),
    st.booleans(),
)
def test_headers_arrive_as_written_however_they_are_separated(
    headers: dict[str, str], lines: bool
) -> None:
    """Commas and line ends do the same."""
    if len({name.lower() for name in headers}) != len(headers) or not headers:
        return
    written = ("\n  " if lines else ", ").join(
        f"{name}: {value}" for name, value in headers.items()
    )
    (tier,) = load(f"[a]\n{HOSTED}headers = {written}\n").stack.tiers
    assert tier.hosted is not None
    assert dict(tier.hosted.headers) == headers


@given(st.text(alphabet="aA1:, $\t{}\n-Xx", max_size=40))
def test_any_headers_are_read_or_explained(text: str) -> None:
    found = problems(f"[a]\n{HOSTED}headers = {text}\n")
    assert all("\n" not in str(one) for one in found)


@given(st.text(max_size=30), st.dictionaries(st.sampled_from(["A", "B_1", "C"]), st.text()))
def test_only_variables_are_expanded(text: str, environ: dict[str, str]) -> None:
    """What names no variable stays, and so does what names an unset one."""
    expanded = expand(text, environ)
    if not any(environ.get(name, "").strip() for name in variables_in(text)):
        assert expanded == text
