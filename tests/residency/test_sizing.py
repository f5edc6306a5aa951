"""What decides over memory is read from a llama-server's command line, and from no other's."""

from __future__ import annotations

import shlex

import pytest

from llmstack.errors import LlmstackError
from llmstack.residency.sizing import Sizing, read_sizing


def sizing(command: str, **environ: str) -> Sizing | None:
    return read_sizing(shlex.split(command), environ)


def options(flags: str, **environ: str) -> Sizing:
    found = sizing(f"llama-server -m m.gguf {flags}", **environ)
    assert found
    return found


@pytest.mark.parametrize(
    "command",
    [
        "llama-server -m m.gguf",
        "/opt/llama.cpp/llama-server --model m.gguf",
        r"'C:\bin\llama-server.exe' --model=m.gguf",
        "env CUDA_VISIBLE_DEVICES=0 taskset -c 0-3 llama-server-cuda -m m.gguf --jinja",
        "/usr/bin/python3 -m llmstack.llama_server -m m.gguf --unheard-of 7",
    ],
)
def test_a_llama_server_is_known_behind_wrappers(command: str) -> None:
    assert sizing(command) == Sizing("m.gguf")


@pytest.mark.parametrize(
    "command",
    [
        "python server.py -m m.gguf",
        "vllm serve org/model",
        "docker run --rm image llama-server -m /models/m.gguf",
        "llama-server -hf org/repo",
    ],
)
def test_other_programs_and_files_elsewhere_tell_nothing(command: str) -> None:
    assert sizing(command) is None


def test_slots_share_the_context_unless_their_number_is_given() -> None:
    assert (options("").slots, options("").unified) == (4, True)
    assert (options("-np 2").slots, options("-np 2").unified) == (2, False)
    assert options("-np 2 -kvu").unified
    assert not options("--no-kv-unified").unified


def test_context_batch_and_types() -> None:
    found = options("-c 32768 -ub 256 -ctk q8_0 -ctv q4_0 --swa-full")
    assert (found.context, found.ubatch, found.full_windows) == (32768, 256, True)
    assert (found.key_bytes, found.value_bytes) == (34 / 32, 18 / 32)
    assert options("-b 64").ubatch == 64
    assert options("", LLAMA_ARG_CTX_SIZE="2048").context == 2048


def test_what_stays_off_the_gpu() -> None:
    assert options("").gpu_layers is None
    assert options("-ngl all").gpu_layers is None
    assert options("-ngl 12").gpu_layers == 12
    assert options("-ngl 99 --device none").gpu_layers == 0
    assert not options("-nkvo").cache_on_gpu
    some = options("-ncmoe 2").host_tensors
    names = [f"blk.{n}.ffn_up_exps.weight" for n in range(4)] + ["blk.0.ffn_up.weight"]
    assert [name for name in names if any(p.search(name) for p in some)] == names[:2]
    every = options("-cmoe").host_tensors
    assert [name for name in names if any(p.search(name) for p in every)] == names[:4]
    override = options("-ot 'exps=CPU,attn=CUDA1,((=CPU'").host_tensors
    assert [pattern.pattern for pattern in override] == ["exps"]


def test_the_projector_adapters_and_a_draft_are_loaded_too() -> None:
    found = options("-c 4096 --mmproj p.gguf --lora a.gguf,b.gguf -md d.gguf -ngld 3 -ctkd q8_0")
    assert found.files() == ("m.gguf", "p.gguf", "a.gguf", "b.gguf", "d.gguf")
    assert found.draft
    assert (found.draft.context, found.draft.slots, found.draft.gpu_layers) == (4096, 4, 3)
    assert (found.draft.key_bytes, found.draft.value_bytes) == (34 / 32, 2.0)


def test_a_malformed_value_is_an_error() -> None:
    with pytest.raises(LlmstackError):
        options("-c many")
