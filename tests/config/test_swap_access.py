"""API keys are known by their digests only, and problems never repeat one: spec 2.1."""

from __future__ import annotations

from hashlib import sha256

import pytest

from llmstack.config.swap import ApiKey
from tests.config.swap_file import MODELS, messages, parse, problems


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def test_a_plain_key_may_do_everything_and_is_kept_as_a_digest_only() -> None:
    """Top 40 line 26."""
    config = parse("apiKeys: [sk-plain, 12345]")
    assert config.api_keys == (ApiKey(digest("sk-plain")), ApiKey(digest("12345")))
    assert config.api_keys[0].admin
    assert config.api_keys[0].models is None
    assert "sk-plain" not in repr(config)
    assert config.secrets == {"sk-plain", "12345"}


def test_a_key_may_have_a_name_models_and_a_digest() -> None:
    config = parse(
        MODELS
        + f"""
peers: {{p: {{proxy: "http://h", models: [x]}}}}
selectors: {{s: {{strategy: pin, targets: [b]}}}}
apiKeys:
  - {{name: editor, key: sk-1, models: [first, x, s]}}
  - {{sha256: "SHA256:{digest("sk-2").upper()}", admin: true}}
  - {{key: sk-3, models: []}}
"""
    )
    assert config.warnings == ()
    assert config.api_keys == (
        ApiKey(digest("sk-1"), "editor", frozenset({"a", "p/x", "s"}), admin=False),
        ApiKey(digest("sk-2"), admin=True),
        ApiKey(digest("sk-3"), models=frozenset(), admin=False),
    )


def test_a_key_may_name_what_is_yet_to_be_found() -> None:
    config = parse(
        """
peers: {p: {proxy: "http://h", discover: true}, q: {proxy: "http://h", models: [x]}}
apiKeys: [{key: sk-1, models: [p/org/model:Q4, x]}]
"""
    )
    assert config.api_keys[0].models == {"p/org/model:Q4", "q/x"}
    (message,) = messages(
        "peers: {q: {proxy: 'http://h', models: [x]}}\napiKeys: [{key: k, models: [q/y]}]"
    )
    assert "unknown model" in message


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("['']", "empty api key found in apiKeys."),
        ("[null]", "empty api key found in apiKeys."),
        ("['sk secret']", "apiKeys[0]: api key cannot contain spaces."),
        ("sk-secret", "apiKeys: expected a list, got something else."),
        ("{sk-secret: x}", "apiKeys: expected a list, got something else."),
        ("[[sk-secret]]", "apiKeys[0]: expected a text, got a list."),
        ("[sk-secret, sk-secret]", "apiKeys[1] is the same key as apiKeys[0]."),
        ("[{name: x}]", "empty api key found in apiKeys."),
        ("[{key: 'sk secret'}]", "apiKeys[0]: api key cannot contain spaces."),
        ("[{sha256: sk-secret}]", "apiKeys[0].sha256 is not 64 hexadecimal digits."),
        (
            f"[{{key: sk-secret, sha256: {'a' * 64}}}]",
            "apiKeys[0] has both key and sha256.",
        ),
        (
            "[{name: n, key: sk-secret}, {name: n, key: sk-2}]",
            'apiKeys[1] has the name of apiKeys[0], "n".',
        ),
        ("[{key: sk-secret, models: [zz]}]", 'apiKeys[0].models references unknown model "zz".'),
        ("[{key: sk-a, sk-secret: 1}]", "a key of apiKeys[0] is unknown and is ignored."),
        (
            "[{key: sk-secret, admin: sk-secret}]",
            "apiKeys[0].admin: expected true or false, got something else.",
        ),
        ("['${sk-secret-macro}']", "apiKeys[0]: unknown macro '${sk-secret-macro}'."),
    ],
)
def test_mistakes_in_keys_are_told_without_the_keys(keys: str, message: str) -> None:
    found = messages(f"apiKeys: {keys}")
    assert found == [message]
    assert "sk-secret" not in found[0].replace("${sk-secret-macro}", "")


def test_what_came_from_the_environment_is_not_repeated_in_problems() -> None:
    (found,) = problems("globalTTL: ${env.HF_TOKEN}", {"HF_TOKEN": "hf_0123456789"})
    assert found.message == "globalTTL: expected a whole number, got the text '***'."
    config = parse("models: {m: {cmd: 'x ${PORT} ${env.KEY}'}}", {"KEY": "abcd", "PATH": "/bin"})
    assert config.secrets == {"abcd"}
    assert "abcd" not in repr(config.secrets - {"abcd"})


def test_a_duplicate_plain_key_changes_nothing() -> None:
    config = parse("apiKeys: [sk-one, sk-one]")
    assert len(config.api_keys) == 1
    assert [each.message for each in config.warnings] == [
        "apiKeys[1] is the same key as apiKeys[0]."
    ]
