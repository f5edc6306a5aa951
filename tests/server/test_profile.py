"""A profile's models.ini: exact, valid, and as large as its own arithmetic says."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.config import default_ini
from llmstack.config.render import render_swap
from llmstack.config.stack_loader import parse_stack
from llmstack.config.swap_loader import parse_swap
from llmstack.errors import LlmstackError
from llmstack.hub.capacity import UNIFIED, Capacity
from llmstack.residency.room import Room, machine_room
from llmstack.server.fit import Headers, fit_stack
from llmstack.server.profile import ProfileIni, make_profile
from llmstack.server.room import PROFILES, profile_room, room_here

GIB = 1 << 30
GOLDEN = Path(__file__).parent / "golden"
CASES = (*(name for name in PROFILES if name != "cpu"), "gpu-24gb", "gpu-12gb+64gb", "cpu")


def room(profile: str) -> Room:
    """That of the profile; a processor's is of 16 GiB, not of the machine that runs this."""
    if profile == "cpu":
        return machine_room(16 * GIB, "this machine's memory", cpu=True)
    return profile_room(profile)


def made(profile: str) -> ProfileIni:
    return make_profile(profile, room(profile))


@pytest.mark.parametrize("profile", CASES)
def test_the_file_is_the_expected_one(profile: str) -> None:
    assert made(profile).text == (GOLDEN / f"profile-{profile}.ini").read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", CASES)
def test_the_file_is_valid_and_the_engine_takes_it(profile: str) -> None:
    loaded = parse_stack(made(profile).text, "models.ini")
    assert loaded.warnings == ()
    text = render_swap(loaded.stack, llama_server=("llama-server",))
    assert set(parse_swap(text, "llama-swap.yaml", {}).models) == {
        t.name for t in loaded.stack.tiers
    }


@pytest.mark.parametrize("profile", CASES)
def test_what_the_file_takes_is_what_it_was_chosen_for(profile: str) -> None:
    """Worked out again from the flags of each tier: the same bytes, and every set fits."""
    written = made(profile)
    stack = parse_stack(written.text, "models.ini").stack
    fit = fit_stack(stack, "current", written.room, Headers(here=False))
    assert {load.tier: load.share for load in fit.loads} == {
        load.tier: load.share for load in written.loads
    }
    assert fit.fits
    assert fit.changes == ()
    assert fit.notes == () or profile in {"64gb"}
    assert {total.tiers for total in fit.totals} == {total.tiers for total in written.totals}


def test_64gb_is_the_shipped_file_with_its_arithmetic() -> None:
    """The four default tiers, to the letter; only comments were added."""
    text = made("64gb").text
    head, tail = default_ini().split("\n[DEFAULT]\n")
    assert text.startswith(f"{head}\n; Profile 64gb.")
    assert text.endswith(f"\n\n[DEFAULT]\n{tail}")
    added = text[len(head) : -len(tail) - len("\n[DEFAULT]\n")]
    assert all(line.startswith(";") for line in added.splitlines() if line)


def test_a_machine_that_holds_the_shipped_stack_gets_it() -> None:
    """Not the same main model with other tiers; but a larger main model comes first."""
    assert "Qwopus GLM 18B" in make_profile("auto", machine_room(66 * GIB, "it")).text
    assert "Qwopus" not in make_profile("auto", machine_room(128 * GIB, "it")).text
    cpu = make_profile("auto", machine_room(64 * GIB, "it", cpu=True)).text
    assert "n_gpu_layers = 0" in cpu


def test_auto_is_this_machine() -> None:
    seen = Room("machine", GIB, "seen")
    assert profile_room("auto", lambda: seen) is seen


@pytest.mark.parametrize("name", ["", "64", "64tb", "gpu-", "0gb", "16gb+32gb", "auto2", "٨gb"])
def test_what_is_no_profile_is_told_the_names(name: str) -> None:
    with pytest.raises(LlmstackError, match="is no profile") as caught:
        profile_room(name)
    assert "auto, cpu, 8gb" in caught.value.fix


def test_a_profile_may_be_of_any_size_and_of_a_gpu() -> None:
    assert profile_room("48GB").size == 48 * GIB
    both = profile_room("gpu-24gb+64gb")
    assert (both.pool, both.size, both.host) == ("gpu", 24 * GIB, 56 * GIB)
    assert profile_room("gpu-24gb").host is None


def test_the_room_here_is_that_of_its_memory() -> None:
    """GPUs with what is beside them; Apple's limit as it is; else a processor alone."""
    gpus = room_here(lambda: Capacity(24 * GIB, "gpu", "memory of X"), lambda: 64 * GIB)
    assert (gpus.pool, gpus.host, gpus.cpu) == ("gpu", 56 * GIB, False)
    apple = room_here(lambda: Capacity(48 * GIB, "machine", UNIFIED), lambda: 64 * GIB)
    assert (apple.budget, apple.cpu) == (48 * GIB, False)
    plain = room_here(lambda: Capacity(16 * GIB, "machine", "memory"), lambda: 16 * GIB)
    assert (plain.budget, plain.cpu) == (14 * GIB, True)
