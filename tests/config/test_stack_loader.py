"""models.ini as a stack."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config import load_stack
from llmstack.config.keys import KEYS, SECRET_KEYS, is_secret
from llmstack.errors import ConfigError
from tests.config.stack_file import HUB, load, only, problems

# --- both generations -------------------------------------------------------------------------

NEWER = """\
[DEFAULT]
router_host = 127.0.0.1
router_port = 10101
n_gpu_layers = 99
[code-fast]
tier = subagent
role = build
hf_repo = Qwen/Qwen2.5-Coder-3B-Instruct-GGUF
hf_file = qwen2.5-coder-3b-instruct-q5_k_m.gguf
ctx_size = 131072
max_output_tokens = 8192
rope_scaling = yarn (type=qwen2, scale=4, orig_ctx=32768)
[code-smart]
tier = agent
role = build
hf_repo = o/smart
hf_file = s.gguf
chat_template = chatml
[code-ultra]
tier = orchestrator
role = build
model = anthropic/some-model
price_input_per_1m = 15
max_output_tokens = 8192
[plan]
tier = agent
role = chat
hf_repo = o/plan
hf_file = p.gguf
[plan-uncensored]
tier = agent
role = nofilter-chat
hf_repo = o/u
hf_file = u.gguf
[deploy]
tier = agent
role = publish
hf_repo = o/d
hf_file = d.gguf
"""


def test_the_newer_generation_means_the_older_roles() -> None:
    """A file of the newer generation gets the same roles, times and names."""
    loaded = load(NEWER)
    assert {tier.name: (tier.role, tier.ttl) for tier in loaded.stack.tiers} == {
        "code-fast": ("fast", 0),
        "code-smart": ("agent", 1800),
        "plan": ("plan", 1200),
        "plan-uncensored": ("plan-uncensored", 1200),
        "deploy": ("publish", 1000),
    }
    assert loaded.stack.tiers[0].aliases == ("fast", "small", "autocomplete")
    assert loaded.stack.tiers[0].rope is not None
    assert loaded.stack.tiers[0].rope.arch == "qwen2"
    assert loaded.stack.tiers[1].chat_template == "chatml"
    (warning,) = loaded.warnings
    assert warning.line == 22
    assert "code-ultra is left out" in warning.message


def test_backend_gguf_keeps_the_local_model() -> None:
    """An explicit backend wins over a model id."""
    loaded = load(f"[a]\nbackend = gguf\naws_model_id = x\n{HUB}")
    assert loaded.stack.tiers[0].weights.hf_repo == "o/r"
    assert "only hosted tiers use it" in loaded.warnings[0].message


@pytest.mark.parametrize("text", ["", "[ROUTING]\n", "[a]\nmodel = x/y\n"])
def test_a_stack_without_a_tier_is_refused(text: str) -> None:
    """A file from which nothing can be served is an error."""
    assert any(
        problem.severity == "error" and "declares no tier" in problem.message
        for problem in problems(text)
    )


# --- where the weights are --------------------------------------------------------------------


def test_a_path_is_relative_to_the_folder_of_the_file(tmp_path: Path) -> None:
    """A local model is found from the file that names it, not from the current directory."""
    file = tmp_path / "models.ini"
    file.write_text("[a]\npath = sub/x.gguf\n[b]\npath = ~/y.gguf\n[c]\npath = /z.gguf\n")
    first, second, third = load_stack(file).stack.tiers
    assert first.weights.path == str(tmp_path / "sub" / "x.gguf")
    assert second.weights.path == str(Path.home() / "y.gguf")
    assert third.weights.path == "/z.gguf"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "neither it nor path says which model the tier serves"),
        ("hf_repo = o/r", "hf_file is missing"),
        ("hf_file = f.gguf", "hf_repo is missing"),
        ("path = x.gguf\nhf_repo = o/r\nhf_file = f", "hf_repo on line 3 names another model"),
        ("hf_repo = o/r:Q4\nhf_file = f", "'o/r:Q4' is not a hub repository"),
        ("hf_repo = o/r\nhf_file = ../f", "'../f' is not a file of a hub repository"),
        ("path = x.gguf\nhf_file_next = f", "hf_repo_next is missing"),
    ],
)
def test_weights_are_named_once_and_whole(lines: str, message: str) -> None:
    """Both or neither source of a model is an error that says what to add or remove."""
    problem = only(f"[a]\n{lines}\n")
    assert message in problem.message
    assert problem.fix


def test_the_next_channel_falls_back_to_what_is_known() -> None:
    """The queued file comes from the same repository and counts as large, unless it says so."""
    (tier,) = load(f"[a]\n{HUB}size_gb = 9\nquant = Q4\nhf_file_next = g.gguf\n").stack.tiers
    assert tier.weights_next is not None
    assert (tier.weights_next.hf_repo, tier.weights_next.hf_file) == ("o/r", "g.gguf")
    assert (tier.weights_next.size_gb, tier.weights_next.quant) == (9, "")


def test_half_an_upgrade_warns() -> None:
    """Keys of the next channel without a file for it do not vanish silently."""
    assert "no effect without hf_file_next" in only(f"[a]\n{HUB}size_gb_next = 9\n").message


# --- what is not understood -------------------------------------------------------------------


def test_w27_unknown_keys_warn_with_the_nearest_name() -> None:
    """W27: a misspelt key is reported with its line and the name that was meant."""
    problem = only(f"[a]\n{HUB}ctx_siz = 4096\n")
    assert (problem.line, problem.severity) == (4, "warning")
    assert problem.fix == "Did you mean 'ctx_size'?"


def test_w27_unknown_sampler_names_warn() -> None:
    """W27: a misspelt sampling setting is reported."""
    problem = only(f"[a]\n{HUB}sampler = temp=1 topp=0.9\n")
    assert problem.severity == "warning"
    assert "'topp'" in problem.message


@pytest.mark.parametrize(
    "line",
    [
        "ctx_size = 64,000",
        "ctx_size = 1e5",
        "ttl = -5",
        "size_gb = big",
        "sampler = temp 0.5",
        "rope_scaling = linear",
        "max_output_tokens = 0",
        "backend = cloud",
        "role = a b",
    ],
)
def test_w27_values_that_cannot_be_read_are_errors(line: str) -> None:
    """W27: nothing is cut off, rounded or replaced by zero."""
    problem = only(f"[a]\n{HUB}{line}\n")
    assert (problem.line, problem.severity) == (4, "error")
    assert problem.fix


@pytest.mark.parametrize(
    "line",
    [
        "router_port = 99999",
        "host = a b",
        "n_gpu_layers = many",
        "flash_attn = perhaps",
        "jinja = maybe",
        "threads = -2",
        "cache_type_k = q9",
        "engine_port = 10101",
        "start_port = 10101",
    ],
)
def test_settings_that_cannot_be_used_are_errors(line: str) -> None:
    """A setting is refused before anything is started with it."""
    problem = only(f"[DEFAULT]\n{line}\n[a]\n{HUB}")
    assert (problem.line, problem.severity) == (2, "error")
    assert problem.fix


def test_a_setting_in_a_tier_warns() -> None:
    """A key that only counts in [DEFAULT] says so elsewhere."""
    problem = only(f"[a]\n{HUB}router_port = 4\n")
    assert (problem.severity, problem.fix) == ("warning", "It belongs in [DEFAULT].")


def test_an_unknown_role_warns() -> None:
    """A role that no rule knows is kept, and said."""
    loaded = load(f"[a]\n{HUB}role = agnet\n")
    assert loaded.stack.tiers[0].role == "agnet"
    assert loaded.warnings[0].fix == "Did you mean 'agent'?"


@pytest.mark.parametrize("name", ["routing", "default", "a b", "-a", "${x}", "auto", "a/b", "ä"])
def test_section_names_that_cannot_be_tiers_are_errors(name: str) -> None:
    """A name that would break a command, a URL or routing is refused."""
    assert [p.line for p in problems(f"[a]\n{HUB}[{name}]\n{HUB}") if p.severity == "error"] == [4]


def test_defaults_reach_every_tier() -> None:
    """[DEFAULT] stands behind the tiers, and its faults are reported once."""
    stack = load("[DEFAULT]\nctx_size = 8k\npath = /m\n[a]\n[b]\nctx_size = 4k\n").stack
    assert [tier.ctx_size for tier in stack.tiers] == [8192, 4096]
    assert only("[DEFAULT]\nctx_size = x\npath = /m\n[a]\n[b]\n").line == 2


def test_an_indented_key_is_not_swallowed() -> None:
    """A line that became the continuation of a value is an error at that value."""
    problem = only("[a]\nhf_repo = o/r\n  hf_file = f.gguf\nhf_file = g.gguf\n")
    assert problem.line == 2
    assert "several lines" in problem.message


# --- secrets and injection --------------------------------------------------------------------


@pytest.mark.parametrize("section", ["DEFAULT", "a", "ROUTING", "hosted"])
@pytest.mark.parametrize("key", [*sorted(SECRET_KEYS), "openai_api_key", "GITHUB_TOKEN"])
def test_secrets_are_errors_everywhere(section: str, key: str) -> None:
    """Credentials are refused in every section, and are not repeated in the message."""
    text = f"[DEFAULT]\n[a]\n{HUB}[hosted]\naws_model_id = x\n[ROUTING]\n"
    text = text.replace(f"[{section}]\n", f"[{section}]\n{key} = hunter2\n")
    (problem,) = [problem for problem in problems(text) if problem.severity == "error"]
    assert "credentials" in problem.message
    assert "hunter2" not in str(problem)


def test_no_known_key_looks_like_a_secret() -> None:
    """The refusal of credentials does not hit a key that is documented."""
    assert [key.name for key in KEYS if is_secret(key.name)] == []


@pytest.mark.parametrize(
    "key",
    ["hf_repo", "hf_file", "path", "description", "aliases", "quant", "tier", "chat_template"],
)
def test_w27_macros_in_values_are_refused(key: str) -> None:
    """W27: ``${x}`` would be read by the engine, so it is refused with its line."""
    text = f"[a]\n{HUB}".replace(f"{key} =", "; was") + f"{key} = ${{x}}\n"
    assert any(problem.line == 4 and "${" in problem.message for problem in problems(text))


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x7f", "\x85", "\u2028"])
def test_control_characters_are_refused(char: str) -> None:
    """Nothing that could rewrite a terminal or a file gets in."""
    assert "control character" in only(f"[a]\n{HUB}description = a{char}b\n").message


# --- routing ----------------------------------------------------------------------------------


def test_routing_is_effective() -> None:
    """Numbers and lists of [ROUTING] arrive; lists may go over several lines."""
    routing = load(
        f"[a]\n{HUB}[ROUTING]\nhigh_fidelity_ceiling = 20k\nmid_fidelity_ceiling = 40k\n"
        "multi_turn = 10\nplan_signal_words = should we, design\n  trade-off\n"
        "ultra_triggers = [big], big:\nsticky = off\nswitch_cost_limit = 90\n"
    ).stack.routing
    assert (routing.high_fidelity_ceiling, routing.mid_fidelity_ceiling) == (20_480, 40_960)
    assert routing.multi_turn == 10
    assert (routing.sticky, routing.switch_cost_limit) == (False, 90)
    assert routing.plan_signal_words == ("should we", "design", "trade-off")
    assert routing.ultra_triggers == ("[big]", "big:")
    assert routing.agent_signal_words == ()


def test_inverted_ceilings_are_an_error() -> None:
    """A ladder whose first rung is above the second is refused."""
    text = f"[a]\n{HUB}[ROUTING]\nhigh_fidelity_ceiling = 3000\nmid_fidelity_ceiling = 2000\n"
    assert "3000 is above mid_fidelity_ceiling 2000" in only(text).message


# --- the whole --------------------------------------------------------------------------------


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    """One run shows everything that must be corrected."""
    text = "rubbish\n[DEFAULT]\nthreads = x\n[a]\nctx_size = y\nctx_size = 1\napi_key = k\n[a]\n"
    assert [problem.line for problem in problems(text)] == [1, 3, 4, 5, 6, 7, 8]


def test_sizes_that_do_not_fit_each_other_warn() -> None:
    """A window beyond the extension and an answer as large as the window are noticed."""
    text = f"[a]\n{HUB}ctx_size = 64k\nmax_output_tokens = 64k\n"
    text += "rope_scaling = yarn (scale=2, orig_ctx=4096)\n"
    assert [problem.line for problem in problems(text)] == [4, 5]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A missing file, a folder and other encodings are reported, not raised."""
    for path in (tmp_path / "none.ini", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_stack(path)
    odd = tmp_path / "odd.ini"
    odd.write_bytes(b"[a]\npath = /m\ndescription = \xe4\n")
    with pytest.raises(ConfigError) as caught:
        load_stack(odd)
    assert [problem.line for problem in caught.value.problems] == [3]


KEY_NAMES = [key.name for key in KEYS] + ["api_key", "other", "tier"]
VALUES = st.one_of(
    st.sampled_from(["64k", "o/r", "f.gguf", "fast", "plan", "x, y", "1", "${x}", "temp=1", "0.5"]),
    st.text(max_size=20),
)
LINES = st.one_of(
    st.sampled_from(["[DEFAULT]", "[ROUTING]", "[a]", "[b]", "[x y]", "[a", "rubbish", ""]),
    st.builds("{} = {}".format, st.sampled_from(KEY_NAMES), VALUES),
)


@given(st.lists(LINES, max_size=15).map("\n".join))
def test_any_text_loads_or_is_explained(text: str) -> None:
    """A file gives a stack, or a ConfigError whose problems are sentences; never a traceback."""
    for problem in problems(text):
        assert str(problem).startswith("models.ini")
        assert problem.message.endswith(".")
        assert "\n" not in str(problem)


@given(st.text(max_size=300))
def test_arbitrary_text_is_never_a_traceback(text: str) -> None:
    """Rubbish is refused as rubbish."""
    problems(text)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Bytes that are no text are refused as such."""
    file = tmp_path_factory.getbasetemp() / "bytes.ini"
    file.write_bytes(data)
    with contextlib.suppress(ConfigError):
        load_stack(file)
