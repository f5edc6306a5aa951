"""Hosted tiers and sources of models in models.ini."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from llmstack.config import hosted
from llmstack.config.hosted import BACKENDS, BackendKind, Budget, Hosted, Source
from llmstack.config.stack import ServerOptions, Tier, Weights
from tests.config.stack_file import HUB, load, only, problems

CTX = "ctx_size = 128k\n"
OPENAI = f"backend = openai\nbase_url = https://example.org/v1\nmodel_name = m\n{CTX}"
BEDROCK = f"backend = bedrock\naws_model_id = eu.some-v1:0\n{CTX}"


def tier(text: str, name: str = "a") -> Tier:
    loaded = load(text)
    assert loaded.warnings == ()
    found = loaded.stack.tier(name)
    assert found is not None
    return found


def where(text: str) -> Hosted:
    found = tier(text).hosted
    assert found is not None
    return found


# --- where it is ------------------------------------------------------------------------------


def test_every_key_of_bedrock_arrives() -> None:
    text = BEDROCK + (
        "aws_region = eu-central-1\naws_profile = prod\n"
        "aws_endpoint_url = https://vpce-1.bedrock.example.org/\n"
        "aws_model_id_next = eu.other\naws_region_next = us-east-1\n"
        "connect_timeout = 5s\nfirst_byte_timeout = 2m\nidle_timeout = 0\nretries = 0\n"
    )
    found = tier(f"[a]\n{text}")
    assert found.hosted == Hosted(
        backend="bedrock",
        model="eu.some-v1:0",
        region="eu-central-1",
        profile="prod",
        endpoint_url="https://vpce-1.bedrock.example.org",
        connect_timeout=5,
        first_byte_timeout=120,
        idle_timeout=0,
        retries=0,
    )
    assert found.hosted_next is not None
    assert (found.hosted_next.model, found.hosted_next.region) == ("eu.other", "us-east-1")
    assert found.hosted_next.profile == "prod"
    assert found.elsewhere("next") == found.hosted_next
    assert found.elsewhere("current") == found.hosted


def test_a_bedrock_id_alone_means_bedrock() -> None:
    """0.8.0: the older file says aws_model_id and no backend."""
    assert where(f"[a]\naws_model_id = x\n{CTX}") == Hosted(backend="bedrock", model="x")


def test_the_next_region_falls_back_to_this_one() -> None:
    """0.8.0: each of the two _next keys stands for itself."""
    only_model = tier(f"[a]\n{BEDROCK}aws_region = r-1\naws_model_id_next = y\n").hosted_next
    assert only_model is not None
    assert (only_model.model, only_model.region) == ("y", "r-1")
    only_region = tier(f"[a]\n{BEDROCK}aws_region_next = r-2\n").hosted_next
    assert only_region is not None
    assert (only_region.model, only_region.region) == ("eu.some-v1:0", "r-2")
    assert tier(f"[a]\n{BEDROCK}").hosted_next is None


def test_every_key_behind_a_url_arrives() -> None:
    text = OPENAI + (
        "model_name_next = n\napi_key_env = EXAMPLE_API_KEY\napis = chat, Embeddings messages\n"
        "headers = HTTP-Referer: https://example.org/x, X-Title: my stack\n"
        "  X-Api-Key: ${OTHER}\n"
    )
    found = tier(f"[a]\n{text}")
    assert found.hosted == Hosted(
        backend="openai",
        model="m",
        base_url="https://example.org/v1",
        api_key_env="EXAMPLE_API_KEY",
        headers=(
            ("HTTP-Referer", "https://example.org/x"),
            ("X-Title", "my stack"),
            ("X-Api-Key", "$OTHER"),
        ),
        apis=("chat", "embeddings", "messages"),
    )
    assert found.hosted_next is not None
    assert found.hosted_next.model == "n"


def test_ollama_needs_no_address_and_can_be_looked_for_or_not() -> None:
    found = where(f"[a]\nbackend = ollama\nmodel_name = qwen3:4b\n{CTX}")
    assert found == Hosted(backend="ollama", model="qwen3:4b")
    for written, meant in (
        ("off", "off"),
        ("on", ""),
        ("http://box:11434/", "http://box:11434"),
    ):
        text = f"[DEFAULT]\nollama = {written}\n[a]\n{HUB}"
        assert load(text).stack.settings.ollama == meant
    assert "http://HOST:11434" in only(f"[DEFAULT]\nollama = box\n[a]\n{HUB}").fix


def test_a_hosted_tier_has_names_a_role_and_nothing_that_runs_here() -> None:
    """It is called and chosen like any other, and takes no time to live with it."""
    found = tier(f"[DEFAULT]\nthreads = 3\nttl = 5\n[a]\nrole = fast\n{OPENAI}sampler = temp=0.5\n")
    assert found.aliases == ("fast", "small", "autocomplete")
    assert (found.role, found.ctx_size, found.sampler.temp) == ("fast", 131072, 0.5)
    assert (found.weights, found.server) == (Weights(), ServerOptions())
    assert (found.ttl, found.preload) == (0, False)


def test_a_stack_may_be_hosted_from_end_to_end() -> None:
    stack = load(f"[a]\n{OPENAI}[b]\n{BEDROCK}").stack
    assert [one.name for one in stack.tiers] == ["a", "b"]
    assert stack.local == ()


def test_what_default_says_reaches_hosted_tiers() -> None:
    """One address and one region for all; a tier with weights of its own stays here."""
    text = f"[DEFAULT]\naws_model_id = x\naws_region = eu-1\n{CTX}[a]\n[b]\n{HUB}"
    assert where(text).region == "eu-1"
    assert tier(text, "b").hosted is None


def test_a_peer_without_a_model_is_a_source_and_no_tier() -> None:
    text = (
        "[box]\nbackend = peer\nbase_url = http://box:10101/\napi_key_env = BOX_KEY\n"
        "description = the big one\n[a]\n"
    )
    loaded = load(text + HUB)
    assert loaded.warnings == ()
    assert loaded.stack.tier("box") is None
    assert loaded.stack.sources == (
        Source(
            "box",
            Hosted(backend="peer", base_url="http://box:10101", api_key_env="BOX_KEY"),
            "the big one",
        ),
    )
    named = load(f"[box]\nbackend = peer\nbase_url = http://b\nmodel_name = m\n{CTX}").stack
    assert named.sources == ()
    assert [one.name for one in named.tiers] == ["box"]


def test_a_source_takes_no_role_and_no_names() -> None:
    text = f"[a]\n{HUB}[box]\nbackend = peer\nbase_url = http://b\nrole = fast\naliases = x\n"
    found = problems(text)
    assert [(one.line, one.severity) for one in found] == [(7, "warning"), (8, "warning")]
    assert all("no tier" in one.message for one in found)


def test_a_source_is_not_called_like_a_found_ollama() -> None:
    """Their models would have the same names."""
    text = f"[a]\n{HUB}[ollama]\nbackend = peer\nbase_url = http://b\n"
    assert only(text).line == 4
    assert load(f"[DEFAULT]\nollama = off\n{text}").stack.sources[0].name == "ollama"


def test_a_sixth_backend_is_one_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that is added to the table is read without touching anything else."""
    more = {**BACKENDS, "sixth": BackendKind("somewhere:sixth", ("base_url", "model_name"))}
    monkeypatch.setattr(hosted, "BACKENDS", MappingProxyType(more))
    text = OPENAI.replace("openai", "sixth")
    assert where(f"[a]\n{text}").backend == "sixth"
    assert "model_name is missing" in only(f"[a]\n{text.replace('model_name = m', '')}").message


# --- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("backend = bedrock", "aws_model_id is missing"),
        ("backend = openai\nmodel_name = m", "base_url is missing"),
        ("backend = openai\nbase_url = http://x", "model_name is missing"),
        ("backend = ollama", "model_name is missing"),
        ("backend = peer", "base_url is missing"),
        ("backend = openai\nmodel_name = m\nbase_url =", "the value is empty"),
        ("base_url = http://x\nmodel_name = m", "backend is missing"),
        ("backend = opnai", "'opnai' is not one of gguf, bedrock, openai, ollama, peer"),
    ],
)
def test_what_is_missing_is_named_with_what_to_write(section: str, message: str) -> None:
    (problem,) = [one for one in problems(f"[z]\n{HUB}[a]\n{section}\n") if one.severity == "error"]
    assert message in problem.message
    assert problem.fix


@pytest.mark.parametrize(
    "line",
    [
        "base_url = ftp://x",
        "base_url = example.org/v1",
        "base_url = http://",
        "base_url = http://x:99999",
        "base_url = http://x/v1?a=b",
        "base_url = http://x/#a",
        "base_url = http://x/a b",
        "api_key_env = my key",
        "apis = chat, tchat",
        "headers = nothing",
        "headers = X-A: 1, X-a: 2",
        "headers = X-A:",
        "headers = Host: x",
        "headers = X-LLMstack-Hops: 0",
        "headers = Accept-Encoding: gzip",
        "headers = Content-Length: 5",
        "headers = Transfer-Encoding: chunked",
        "headers = Proxy-Authorization: $X",
        "headers = X-A: ä",
        "connect_timeout = 0",
        "connect_timeout = 1h",
        "first_byte_timeout = soon",
        "idle_timeout = -1",
        "retries = 11",
        "retries = -1",
        "budget_usd_per_day = 0",
        "budget_usd_per_month = much",
        "price_input_per_1m = 1,5",
        "fallback = nobody",
        "fallback = a",
    ],
)
def test_w27_values_of_hosted_tiers_that_cannot_be_read_are_errors(line: str) -> None:
    """W27: nothing is cut off or guessed; the line is named."""
    key = line.partition(" ")[0]
    kept = [one for one in OPENAI.splitlines() if not one.startswith(key)]
    text = "\n".join(["[a]", line, *kept, ""])
    errors = [one for one in problems(text) if one.severity == "error"]
    assert [one.line for one in errors] == [2]
    assert errors[0].fix


@pytest.mark.parametrize(
    "line", ["aws_region = EU West", "aws_region = a.b", "aws_endpoint_url = x"]
)
def test_what_is_no_region_or_address_is_an_error(line: str) -> None:
    """A region becomes part of a host name."""
    assert only(f"[a]\n{BEDROCK}{line}\n").line == 5


@pytest.mark.parametrize("line", ["ttl = 5", "preload = true", "hf_repo = o/r", "threads = 2"])
def test_keys_of_local_models_warn_in_a_hosted_tier(line: str) -> None:
    problem = only(f"[a]\n{OPENAI}{line}\n")
    assert (problem.line, problem.severity) == (6, "warning")


@pytest.mark.parametrize("line", ["aws_region = eu-1", "aws_profile = p"])
def test_keys_of_another_backend_warn(line: str) -> None:
    assert "backend = openai does not use it" in only(f"[a]\n{OPENAI}{line}\n").message


def test_a_tier_without_a_window_is_told_of() -> None:
    """Agents are told of windows, and nobody but the user knows this one."""
    problem = only("[a]\naws_model_id = x\n")
    assert (problem.severity, "ctx_size" in problem.message) == ("warning", True)


def test_a_budget_without_prices_is_never_spent() -> None:
    problem = only(f"[a]\n{OPENAI}budget_usd_per_day = 5\n")
    assert (problem.line, problem.severity) == (6, "warning")
    priced = tier(f"[a]\n{OPENAI}budget_usd_per_day = 2.5\nprice_output_per_1m = 1\n")
    assert priced.budget == Budget(per_day=2.5)


# --- who stands in ----------------------------------------------------------------------------


def test_a_fallback_is_a_tier_by_any_of_its_names() -> None:
    """Local tiers may have one too, and hosted ones may fall back on local ones."""
    text = f"[a]\n{OPENAI}fallback = code, c\n[b]\nrole = agent\n{HUB}fallback = c\n[c]\n{BEDROCK}"
    assert tier(text).fallback == ("b", "c")
    assert tier(text, "b").fallback == ("c",)


def test_a_fallback_that_nobody_is_gets_the_tiers_told_once_each() -> None:
    """Not once for each of their names."""
    text = f"[a]\n{OPENAI}fallback = nobody\n[b]\nrole = agent\n{HUB}"
    (problem,) = problems(text)
    assert problem.fix == "The tiers are a, b."


def test_a_fallback_for_all_leaves_out_the_tier_itself() -> None:
    text = f"[DEFAULT]\nfallback = b\n[a]\n{OPENAI}[b]\n{HUB}"
    assert (tier(text).fallback, tier(text, "b").fallback) == (("b",), ())


def test_two_tiers_may_stand_in_for_each_other() -> None:
    """Only the list of the tier that was asked counts, so nothing goes round."""
    text = f"[a]\n{OPENAI}fallback = b\n[b]\n{BEDROCK}fallback = a\n"
    assert (tier(text).fallback, tier(text, "b").fallback) == (("b",), ("a",))


def test_a_fallback_that_is_no_tier_is_named() -> None:
    """A section that is left out does not make the others unusable."""
    text = f"[a]\n{OPENAI}fallback = b\n[b]\nmodel = x/y\n"
    assert [one.severity for one in problems(text)] == ["warning", "warning"]
    near = only(f"[a]\n{OPENAI}fallback = smrt\n[smart]\n{HUB}")
    assert near.fix == "Did you mean 'smart'?"


# --- the proxy of an older version ------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("anthropic/claude-x", ["https://api.anthropic.com/v1", "claude-x", "ANTHROPIC_API_KEY"]),
        ("openrouter/a/b", ["https://openrouter.ai/api/v1", "model_name = a/b"]),
        ("bedrock/converse/eu.x", ["aws_model_id = eu.x"]),
        ("ollama/q:4b", ["backend = ollama", "model_name = q:4b"]),
        ("vertex_ai/g", ["backend = openai", "LiteLLM proxy", "api_key_env"]),
    ],
)
@pytest.mark.parametrize("backend", ["", "backend = litellm\n"])
def test_w1_a_tier_behind_the_old_proxy_is_left_out_with_what_to_write(
    backend: str, model: str, words: list[str]
) -> None:
    """W1: the proxy inside is gone; the rest works, and nothing is dropped silently."""
    loaded = load(f"[a]\n{HUB}[b]\n{backend}model = {model}\n")
    assert [one.name for one in loaded.stack.tiers] == ["a"]
    (warning,) = loaded.warnings
    assert "b is left out" in warning.message
    assert all(word in warning.fix for word in words)


def test_a_hosted_tier_that_still_says_model_is_told_the_new_name() -> None:
    problem = only(f"[a]\n{OPENAI}model = x\n")
    assert (problem.severity, problem.fix) == ("warning", "Write model_name.")
