"""What is chosen for a machine fits into it, and more memory never gives a smaller main model."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.errors import LlmstackError
from llmstack.hub.catalogue import CatalogueModel, catalogue
from llmstack.residency.footprint import estimate
from llmstack.residency.room import Room, gpu_room, machine_room
from llmstack.residency.selection import ENOUGH, LADDER, Chosen, Selection, select
from llmstack.residency.sizing import Sizing, first_experts

GIB = 1 << 30
MODELS = catalogue()

memory = st.integers(2 * GIB, 200 * GIB)
machines = st.builds(machine_room, memory, st.just("it"), cpu=st.booleans())
graphics = st.builds(gpu_room, memory, st.just("it"), st.one_of(st.none(), memory))
rooms = st.one_of(machines, graphics)
few = settings(max_examples=60, deadline=None)


def chosen(room: Room) -> Selection | None:
    try:
        return select(room, MODELS)
    except LlmstackError:
        return None


def main_model(selection: Selection | None) -> int:
    """Bytes of the coding agent, 0 for none."""
    return tier(selection, "agent").model.size if selection else 0


def tier(selection: Selection, role: str) -> Chosen:
    (one,) = (one for one in selection.tiers if one.role == role)
    return one


@few
@given(rooms)
def test_what_is_loaded_together_fits(room: Room) -> None:
    """By the same formulae, worked out again: every set, its margin, and the host beside a GPU."""
    selection = chosen(room)
    if selection is None:
        return
    sizes = {one.name: _again(one, room) for one in selection.tiers}
    for total in selection.totals:
        gpu = sum(sizes[name][0] for name in total.tiers)
        host = sum(sizes[name][1] for name in total.tiers)
        assert total.fits
        assert gpu + total.margin <= room.budget
        assert room.host is None or host + total.margin <= room.host
    together = {name for total in selection.totals for name in total.tiers}
    assert together == set(sizes)


def _again(one: Chosen, room: Room) -> tuple[int, int]:
    name = str(one.model.file)
    sizing = Sizing(
        name,
        one.context,
        key_bytes=34 / 32,
        value_bytes=34 / 32,
        gpu_layers=0 if room.cpu else None,
        host_tensors=(re.compile(first_experts(one.cpu_experts)),) if one.cpu_experts else (),
    )
    parts = estimate(sizing, {name: (one.model.header(),)}, room.pool)
    return parts.total(room.pool), sum(share.host for _, share in parts.parts())


@few
@given(memory, st.integers(0, 64 * GIB), st.booleans())
def test_more_memory_never_gives_a_smaller_main_model(size: int, more: int, cpu: bool) -> None:
    less, larger = (machine_room(one, "it", cpu=cpu) for one in (size, size + more))
    assert main_model(chosen(less)) <= main_model(chosen(larger))


@few
@given(memory, memory, st.integers(0, 64 * GIB), st.integers(0, 64 * GIB))
def test_neither_does_more_of_a_gpu_or_beside_it(
    gpu: int, ram: int, more_gpu: int, more_ram: int
) -> None:
    less, larger = gpu_room(gpu, "it", ram), gpu_room(gpu + more_gpu, "it", ram + more_ram)
    assert main_model(chosen(less)) <= main_model(chosen(larger))


@few
@given(rooms)
def test_a_choice_is_of_the_catalogue_and_the_ladder(room: Room) -> None:
    """Each role has a model that may play it, in a context that the model is made for."""
    selection = chosen(room)
    for one in selection.tiers if selection else ():
        assert one.role in one.model.roles
        assert one.context in LADDER
        assert one.model.least_context <= one.context <= one.model.most_context
        assert one.cpu_experts == 0 or (one.model.mixture and room.host)


def test_the_same_room_gives_the_same_choice_in_whatever_order_the_models_are() -> None:
    room = machine_room(32 * GIB, "it")
    assert select(room, MODELS) == select(room, tuple(reversed(MODELS)))


def test_without_a_gpu_models_are_quick_and_windows_short() -> None:
    selection = select(machine_room(64 * GIB, "it", cpu=True), MODELS)
    assert all(one.model.active < 9 and one.context <= 32768 for one in selection.tiers)


def test_experts_stay_off_the_gpu_for_a_larger_model_but_not_for_a_finer_one() -> None:
    """8 GB beside 32 GB run a model of 18 GB; its file of 25 GB would fit just as well."""
    agent = tier(select(gpu_room(8 * GIB, "it", 32 * GIB), MODELS), "agent")
    assert agent.cpu_experts > 0
    assert (agent.model.name, agent.model.quant) == ("Qwen3 Coder 30B A3B", "Q4_K_M")
    alone = tier(select(gpu_room(8 * GIB, "it"), MODELS), "agent")
    assert alone.cpu_experts == 0
    assert alone.model.name == "Qwen2.5 Coder 7B"


def test_a_planner_that_is_the_agent_is_no_tier_of_its_own() -> None:
    selection = select(machine_room(16 * GIB, "it"), MODELS)
    assert [one.role for one in selection.tiers] == ["fast", "agent"]
    assert any("plan: it would be the model of code-smart" in why for why in selection.reasons)


def test_the_agents_window_comes_before_a_larger_fast_model() -> None:
    """16 GB: the small fast model, and enough of a window for the agent."""
    selection = select(machine_room(16 * GIB, "it"), MODELS)
    assert tier(selection, "agent").context == ENOUGH
    assert tier(selection, "fast").model.name == "Qwen2.5 Coder 1.5B"


def test_what_was_not_chosen_is_told_with_its_sum() -> None:
    (why, *_) = select(machine_room(24 * GIB, "it"), MODELS).reasons
    assert "Qwen3 Coder 30B A3B Q6_K would need" in why
    assert "21.0 GiB are there" in why
    needed = re.search(r"need ([\d.]+) GiB", why)
    assert needed
    assert float(needed[1]) > 21


def test_what_was_not_split_is_told_too() -> None:
    """A finer file of the chosen model, and one whose experts would not fit beside the GPU."""
    (finer, *_) = select(gpu_room(12 * GIB, "it", 64 * GIB), MODELS).reasons
    assert "11.5 GiB are on the GPU, and it is not split for finer weights" in finer
    (larger, *_) = select(gpu_room(8 * GIB, "it", 16 * GIB), MODELS).reasons
    assert "7.5 GiB on the GPU and 14.0 GiB beside it are there" in larger


def test_little_memory_gets_one_tier_and_no_memory_an_error_that_says_the_least() -> None:
    assert [one.role for one in select(machine_room(6 * GIB, "it"), MODELS).tiers] == ["agent"]
    with pytest.raises(LlmstackError, match="no model fits into 512 MiB") as caught:
        select(machine_room(2 * GIB + (512 << 20), "it"), MODELS)
    assert "Qwen2.5 Coder 1.5B, takes 1.4 GiB at 8192 tokens" in caught.value.why
    assert "--external" in caught.value.fix


def test_an_empty_catalogue_is_no_crash() -> None:
    nothing: tuple[CatalogueModel, ...] = ()
    with pytest.raises(LlmstackError, match="no model fits"):
        select(machine_room(64 * GIB, "it"), nothing)
