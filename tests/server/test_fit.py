"""What a tier takes is worked out from the best numbers that can be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.config.stack import Weights
from llmstack.config.stack_loader import parse_stack
from llmstack.residency.arithmetic import json_of, plain
from llmstack.residency.room import Load, Room, machine_room, total_of
from llmstack.residency.tier_sizing import resident_sets
from llmstack.server.fit import Headers, StackFit, fit_stack
from tests.hub.gguf_file import header

TINY = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"
GIB = 1 << 30
ROOM = machine_room(16 * GIB, "it")
OFFLINE = Headers(here=False)


def fit(text: str, room: Room = ROOM, headers: Headers = OFFLINE) -> StackFit:
    return fit_stack(parse_stack(text, "models.ini").stack, "current", room, headers)


def load(text: str) -> Load:
    return fit(text).loads[0]


def test_a_file_that_is_here_speaks_for_itself() -> None:
    found = load(f"[t]\npath = {TINY}\nctx_size = 4096\ncache_type_k = f16\ncache_type_v = f16\n")
    assert found.source == "file"
    assert found.parts
    assert found.parts.cache.of("machine") == 15 * GIB // 2048
    assert found.parts.cells == 4096


def test_every_part_of_a_split_file_counts(tmp_path: Path) -> None:
    entries = {"general.architecture": "llama", "llama.block_count": 1, "llama.vocab_size": 10}
    for number in (1, 2):
        tensors = {f"blk.0.{number}.weight": 1 << 20}
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(header(entries, tensors))
    found = load(f"[t]\npath = {tmp_path}/m-00001-of-00002.gguf\n")
    assert found.parts
    assert found.parts.weights.of("machine") == 2 << 20


def test_a_file_of_the_catalogue_needs_to_be_nowhere() -> None:
    found = load("[t]\nhf_repo = ggml-org/gpt-oss-20b-GGUF\nhf_file = gpt-oss-20b-MXFP4.gguf\n")
    assert found.source == "catalogue"
    assert found.parts
    assert found.parts.weights.of("machine") == 12_109_566_624


def test_without_any_numbers_size_gb_stands_for_the_weights_alone() -> None:
    """The table says that the cache is not known, and sums are at least what they say."""
    result = fit("[t]\nhf_repo = o/r\nhf_file = f.gguf\nsize_gb = 3\n")
    (one,) = result.loads
    assert (one.source, one.parts) == ("size_gb", None)
    assert one.share
    assert one.share.of("machine") == 3 * GIB
    text = "\n".join(plain(result.loads, result.totals, ROOM))
    assert "size_gb, no KV known" in text
    assert "t: at least 3.0 GiB" in text
    assert json_of(result.loads, result.totals, ROOM)["together"][0]["complete"] is False


def test_what_nobody_knows_is_said_with_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "x.gguf"
    broken.write_bytes(b"no model")
    result = fit(f"[t]\nhf_repo = o/r\nhf_file = f.gguf\n[u]\npath = {broken}\n")
    assert [one.share for one in result.loads] == [None, None]
    assert "not a usable GGUF file" in result.loads[1].why
    assert "unknown: its file is not here" in "\n".join(plain(result.loads, result.totals, ROOM))


def test_a_malformed_option_is_the_reason_not_a_crash() -> None:
    found = load(f"[t]\npath = {TINY}\nextra_args = --n-cpu-moe many\n")
    assert found.share is None
    assert "n-cpu-moe" in found.why


def test_the_window_of_the_model_counts_where_none_is_given() -> None:
    found = load(f"[t]\npath = {TINY}\n")
    assert found.parts
    assert found.parts.cells > 0


def test_headers_are_looked_for_once() -> None:
    headers = Headers(here=False)
    weights = Weights(hf_repo="ggml-org/gpt-oss-20b-GGUF", hf_file="gpt-oss-20b-MXFP4.gguf")
    assert headers.find(weights) is headers.find(weights)


@pytest.mark.parametrize(
    ("roles", "sets"),
    [
        ("f:fast a:agent p:plan", {"f a", "f p"}),
        ("f:fast p:plan u:plan-uncensored a:agent", {"f p u", "f a"}),
        ("a:agent p:plan", {"a", "p"}),
        ("f:fast", {"f"}),
        ("a:agent b:agent f:fast", {"a f", "b f"}),
        ("p:plan u:plan-uncensored", {"p u"}),
    ],
)
def test_tiers_are_summed_up_as_the_engine_keeps_them(roles: str, sets: set[str]) -> None:
    """The largest sets of the generated matrix; each alone where it has none."""
    pairs = [pair.split(":") for pair in roles.split()]
    text = "".join(f"[{n}]\nrole = {r}\nhf_repo = o/r\nhf_file = f\n" for n, r in pairs)
    stack = parse_stack(text, "models.ini").stack
    assert {" ".join(names) for names in resident_sets(stack, "current")} == sets


def test_margins_are_per_process_and_both_memories_count() -> None:
    """A set fits only if what is beside the GPU fits too."""
    stack = "[t]\nhf_repo = ggml-org/gpt-oss-20b-GGUF\nhf_file = gpt-oss-20b-MXFP4.gguf\n"
    cold = stack + "ctx_size = 8192\nextra_args = --cpu-moe\n"
    roomy = Room("gpu", 8 * GIB, "it", host=32 * GIB)
    tight = Room("gpu", 8 * GIB, "it", host=4 * GIB)
    assert fit(cold, roomy).fits
    assert not fit(cold, tight).fits
    assert fit(cold, tight).totals[0].left > 0 > fit(cold, tight).totals[0].host_left
    assert total_of([], roomy).margin == 0
