"""A configuration of twelve models in the shapes of public ones loads and means what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.config.command import split_command
from llmstack.config.names import Disabled, Local, Remote, Selected, names_of
from llmstack.config.redact import masked
from llmstack.config.swap_loader import build_swap
from llmstack.config.swap_merge import merge_sources
from llmstack.config.swap_source import read_source
from llmstack.residency import compile_residency

if TYPE_CHECKING:
    from llmstack.config.swap import SwapConfig

EXAMPLES = Path(__file__).parent / "examples"
SECRETS = {
    "STUDIO_KEY": "sk-studio-0123",
    "OPENROUTER_KEY": "sk-or-v1-0123",
    "HF_TOKEN": "hf_0123456789abcdef",
}
ENVIRON = {
    **SECRETS,
    "MODEL_BIN": "/opt/llama.cpp/build/bin",
    "START_PORT": "9000",
    "COMFY_PORT": "8188",
    "SHORT_TTL": "600",
    "STUDIO_URL": "http://mac-studio:8080",
    "OPENROUTER_URL": "https://openrouter.ai",
}


def load(*names: str) -> SwapConfig:
    sources = [
        read_source((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"), name, ENVIRON)
        for name in names
    ]
    return build_swap(merge_sources(sources))


@pytest.fixture(scope="module", params=["groups", "matrix"])
def config(request: pytest.FixtureRequest) -> SwapConfig:
    return load("twelve-models", request.param, "names")


def test_it_loads_without_a_warning(config: SwapConfig) -> None:
    assert config.warnings == ()
    assert len(config.models) == 12
    assert config.preload == ("bge-m3", "qwen3-30b-a3b")


def test_ports_go_to_those_who_use_them_in_the_order_of_their_names(config: SwapConfig) -> None:
    """Top 40 line 4."""
    ports = {m.id: m.proxy.rpartition(":")[2] for m in config.models.values()}
    users = sorted(model for model in ports if model != "comfyui_auto")
    assert [ports[model] for model in users] == [str(9000 + n) for n in range(11)]
    assert ports["comfyui_auto"] == "8188"


def test_macros_nest_keep_their_types_and_do_not_leak(config: SwapConfig) -> None:
    """Top 40 lines 3 and 5."""
    model = config.models["qwen3-30b-a3b"]
    port = model.proxy.rpartition(":")[2]
    assert model.cmd == (
        f"/opt/llama.cpp/build/bin/llama-server --host 127.0.0.1 --port {port} --no-warmup "
        "-m /mnt/nvme/llms/qwen3/qwen3-30b-a3b.gguf --temp 0.7 --top-p 0.8 --top-k 20 "
        "--repeat-penalty 1.05 --ctx-size 65536"
    )
    assert model.metadata == {"context": 65536, "quant": "Q5_K_XL", "port": int(port)}
    assert model.capabilities is not None
    assert model.capabilities.context == 65536
    coder = config.models["qwen3-coder:30b"]
    assert "--ctx-size 131072" in coder.cmd
    assert "cache-type" not in coder.cmd


def test_filters_and_their_names(config: SwapConfig) -> None:
    """Top 40 line 7."""
    model = config.models["qwen3-30b-a3b"]
    assert model.aliases == ("gpt-4o-mini", "default", "qwen3-30b-a3b:thinking")
    assert model.filters.strip_params == ("temperature", "top_k", "top_p")
    assert set(model.filters.set_params_by_id) == {"qwen3-30b-a3b", "qwen3-30b-a3b:thinking"}
    oss = config.models["unsloth/gpt-oss-120b"]
    assert oss.filters.set_params == {"chat_template_kwargs.reasoning_effort": "high"}


def test_containers_share_what_an_anchor_holds(config: SwapConfig) -> None:
    vllm = config.models["vllm-qwen"]
    assert (vllm.unload_timeout, vllm.timeouts.response_header) == (30, 900)
    assert config.models["kokoro"].timeouts == vllm.timeouts
    assert vllm.cmd_stop == "/opt/llama.cpp/build/bin/docker stop vllm-qwen"
    assert '"device=GPU-a8c640ca"' in split_command(vllm.cmd)


def test_the_special_model_has_more_room(config: SwapConfig) -> None:
    model = config.models["comfyui_auto"]
    assert (model.concurrency_limit, model.ignore_websockets) == (50, True)
    assert model.check_endpoint == "none"


def test_names_lead_where_they_should(config: SwapConfig) -> None:
    """Top 40 line 12."""
    names = names_of(config)
    assert names.resolve("gpt-4o") == Local("unsloth/gpt-oss-120b", "gpt-4o")
    assert names.resolve("glm-4.6") == Remote("studio", "glm-4.6", "glm-4.6")
    assert names.resolve("z-ai/glm-4.7") == Remote("openrouter", "z-ai/glm-4.7", "z-ai/glm-4.7")
    assert names.resolve("glm-4.6", "travelling") == Disabled("glm-4.6")
    assert names.resolve("whisper-1", "writing") == Disabled("whisper-1")
    assert names.resolve("best", "travelling") == Local("unsloth/gpt-oss-120b", "gpt-oss")
    chat = names.resolve("gpt-4o", "writing")
    assert isinstance(chat, Selected)
    assert [target.name for target in chat.targets] == [
        "gpt-oss",
        "qwen3-30b-a3b:thinking",
        "gemma3-27b",
    ]


def test_keys_of_peers_come_from_the_environment_and_are_secret(config: SwapConfig) -> None:
    assert config.peers["studio"].api_key == "sk-studio-0123"
    assert config.secrets >= set(SECRETS.values())
    assert "sk-studio-0123" not in repr(config)
    assert "sk-or-v1-0123" not in repr(config)
    assert "0123456789abcdef" not in masked(config.models["vllm-qwen"].cmd, config.secrets)


def test_the_groups_decide() -> None:
    """Top 40 line 8."""
    residency = compile_residency(load("twelve-models", "groups", "names"))
    coders = ["qwen3-coder:30b", "qwen3-coder:30b-card1"]
    assert residency.evict(coders[0], [coders[1], "bge-m3"]) == set()
    assert residency.evict("gemma3-27b", [*coders, "bge-m3"]) == set(coders)


def test_the_matrix_decides() -> None:
    """Top 40 line 9."""
    residency = compile_residency(load("twelve-models", "matrix", "names"))
    assert residency.evict("gemma3-27b", ["bge-m3", "whisper", "mistral-small"]) == {
        "mistral-small"
    }
    assert residency.evict("kokoro", ["bge-m3"]) == {"bge-m3"}
    coders = ["qwen3-coder:30b", "qwen3-coder:30b-card1"]
    assert residency.evict("whisper", coders) == {coders[1]}, "the first of equals stays"
