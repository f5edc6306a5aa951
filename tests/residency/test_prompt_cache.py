"""Remembered prompts grow: a chosen stack limits them, and fit tells of those that have none."""

from __future__ import annotations

import pytest

from llmstack.config.stack import ServerOptions, Tier, Weights
from llmstack.residency.footprint import Share
from llmstack.residency.prompt_cache import UNTOLD, limit_of, limits_for, notes
from llmstack.residency.room import MARGIN, Load, Room, Total, total_of

GIB, MIB = 1 << 30, 1 << 20


def tier(*words: str, **env: str) -> Tier:
    server = ServerOptions(extra_args=words, env=tuple(env.items()))
    return Tier("t", "agent", Weights(path="m.gguf"), server=server)


def total(room: Room, **sizes: int) -> Total:
    return total_of([Load(name, Share(host=size)) for name, size in sizes.items()], room)


@pytest.mark.parametrize(
    ("one", "limit"),
    [
        (tier(), UNTOLD),
        (tier("--cache-ram", "512"), 512 * MIB),
        (tier("-cram", "0"), 0),
        (tier(LLAMA_ARG_CACHE_RAM="256"), 256 * MIB),
        (tier("--cache-ram", "many"), UNTOLD),
    ],
)
def test_the_limit_is_what_the_server_is_told(one: Tier, limit: int) -> None:
    assert limit_of(one) == limit


def test_no_limit_is_more_than_any_machine_has() -> None:
    assert limit_of(tier("--cache-ram", "-1")) > 1 << 46


def test_a_chosen_stack_shares_what_its_tightest_set_leaves() -> None:
    """So caches that are full fit as well; where the usual limit is little enough none is set."""
    room = Room("machine", 20 * GIB, "it")
    tight = total(room, f=2 * GIB, a=14 * GIB)
    wide = total(room, f=2 * GIB, p=4 * GIB)
    limits = limits_for([tight, wide])
    assert limits["a"] == limits["f"] == (4 * GIB - 2 * MARGIN) // 2 // (128 * MIB) * 128 * MIB
    assert limits["a"] + limits["f"] <= tight.left
    assert limits["f"] + limits["p"] <= wide.left
    assert limits_for([total(Room("machine", 64 * GIB, "it"), f=GIB)]) == {}


def test_beside_a_gpu_the_machines_memory_counts_if_it_is_known() -> None:
    assert limits_for([total(Room("gpu", GIB, "it"), f=GIB)]) == {}
    beside = total(Room("gpu", GIB, "it", host=4 * GIB), f=GIB)
    assert limits_for([beside]) == {"f": 2816 * MIB}


def test_a_set_that_fits_only_while_caches_are_empty_is_told() -> None:
    room = Room("machine", 8 * GIB, "it")
    (note,) = notes([total(room, t=GIB)], {"t": tier()})
    assert "t: with use, remembered prompts add up to 8.0 GiB, and 6.8 GiB are left" in note
    assert notes([total(room, t=GIB)], {"t": tier("--cache-ram", "512")}) == ()
    assert notes([total(room, t=9 * GIB)], {"t": tier()}) == ()
    (note,) = notes([total(room, t=GIB)], {"t": tier("--cache-ram", "-1")})
    assert "any amount" in note
