"""Options turned into the binding's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstack.errors import LlmstackError
from llmstack.llama_server.arguments import parse
from llmstack.llama_server.params import common_params

if TYPE_CHECKING:
    from pathlib import Path

xllamacpp = pytest.importorskip("xllamacpp")


def params(*argv: str, threads: int = 3) -> Any:
    return common_params(xllamacpp, parse(["-m", "x.gguf", *argv], {}).values, threads)


def test_defaults_are_llama_servers() -> None:
    p = params()
    assert (p.n_parallel, p.port, p.hostnames, p.n_ctx) == (-1, 8080, ["127.0.0.1"], 0)
    assert (p.cpuparams.n_threads, p.cpuparams_batch.n_threads) == (3, 3)


def test_threads_are_taken_as_given_and_chosen_when_minus_one() -> None:
    assert params("-t", "7").cpuparams_batch.n_threads == 7
    assert params("-t", "-1").cpuparams.n_threads == 3
    assert params("-t", "2", "-tb", "5").cpuparams_batch.n_threads == 5


def test_a_context_of_zero_is_not_shrunk_to_fit() -> None:
    assert params("-c", "0").fit_params_min_ctx == -1
    assert params("-c", "1").fit_params_min_ctx > 0


def test_negated_options_take_the_opposite() -> None:
    assert params("-nkvo").no_kv_offload is True
    assert params("--kv-offload").no_kv_offload is False
    assert params("--no-mmproj").no_mmproj is True


def test_chosen_sampling_values_are_marked_as_the_users() -> None:
    assert params().sampling.user_sampling_config == 0
    p = params("--temp", "0.25", "--top-k", "5")
    assert (p.sampling.temp, p.sampling.top_k) == (0.25, 5)
    bits = xllamacpp.common_params_sampling_config
    assert p.sampling.user_sampling_config == int(bits.COMMON_PARAMS_SAMPLING_CONFIG_TEMP) | int(
        bits.COMMON_PARAMS_SAMPLING_CONFIG_TOP_K
    )


def test_reranking_serves_embeddings_with_rank_pooling() -> None:
    p = params("--reranking")
    assert p.embedding
    assert p.pooling_type == xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK


def test_experts_are_kept_on_the_cpu_beside_other_placements() -> None:
    p = params("-ot", "output=CPU", "--n-cpu-moe", "2")
    assert p.tensor_buft_overrides.split(",") == [
        "output=CPU",
        r"blk\.0\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU",
        r"blk\.1\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU",
    ]


def test_shares_of_devices_are_filled_up() -> None:
    assert params("-ts", "3,1").tensor_split[:3] == [3.0, 1.0, 0.0]
    assert set(params("-fitt", "512").fit_params_target) == {512 * 1024 * 1024}
    assert params("-fitt", "1,2").fit_params_target[:3] == [1048576, 2097152, 1073741824]


def test_template_settings_come_together(tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text("{{ x }}")
    p = params(
        "--chat-template-file", str(template), "--chat-template-kwargs", '{"a": {"b": 1}}',
        "-rea", "off", "--reasoning-effort", "low",
    )  # fmt: skip
    assert p.chat_template == "{{ x }}"
    assert p.default_template_kwargs == {
        "a": '{"b": 1}',
        "enable_thinking": "false",
        "reasoning_effort": '"low"',
    }


def test_keys_come_from_the_option_and_the_file(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# mine\none\n\ntwo\n")
    assert params("--api-key", "a,b", "--api-key-file", str(keys)).api_keys == [
        "a", "b", "one", "two",
    ]  # fmt: skip


def test_a_grammar_comes_from_a_schema() -> None:
    assert params("-j", '{"type": "object"}').sampling.grammar.grammar


def test_a_repository_is_enough_of_a_model() -> None:
    p = common_params(xllamacpp, {"hf-repo": "org/name"}, 1)
    assert p.model.hf_repo == "org/name"
    assert p.model.path


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--spec-type", "nonsense"), "--spec-type"),
        (("--lora-scaled", "file"), "FILE:SCALE"),
        (("--chat-template-file", "/nonexistent/t"), "/nonexistent/t: No such file"),
        (("-ot", "x=NOWHERE"), "--override-tensor"),
        (("-b", "99999999999"), "--batch-size"),
        (("-ts", ",".join("1" * 200)), "200 devices"),
    ],
)
def test_what_the_binding_cannot_take_is_an_error(argv: tuple[str, ...], says: str) -> None:
    with pytest.raises(LlmstackError) as caught:
        params(*argv)
    assert says in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("values", [{}, {"model-url": "http://127.0.0.1:1/x.gguf"}])
def test_a_model_must_be_named(values: dict[str, object]) -> None:
    with pytest.raises(LlmstackError, match="model"):
        common_params(xllamacpp, values, 1)
