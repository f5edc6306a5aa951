"""The models that go are those whose loss costs least, and no more of them than needed."""

from __future__ import annotations

import time
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.residency.eviction import Candidate, cheapest

candidates = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abcdefgh"),
        size=st.integers(0, 12),
        value=st.integers(0, 12),
        in_use=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.model,
)


def cost(chosen: list[Candidate]) -> tuple[int, int, int]:
    return (
        sum(candidate.in_use for candidate in chosen),
        sum(candidate.value for candidate in chosen),
        len(chosen),
    )


@settings(max_examples=500)
@given(given_=candidates, need=st.integers(-3, 60), seed=st.integers(0, 99))
def test_no_other_set_that_makes_room_costs_less(
    given_: list[Candidate], need: int, seed: int
) -> None:
    """Compared with every set there is; the order of the candidates does not matter."""
    found = cheapest(given_, need)
    subsets = [list(s) for n in range(len(given_) + 1) for s in combinations(given_, n)]
    enough = [subset for subset in subsets if sum(c.size for c in subset) >= need]
    shuffled = Random(seed).sample(given_, len(given_))
    assert cheapest(shuffled, need) == found
    if not enough:
        assert found is None
        return
    assert found is not None
    chosen = [candidate for candidate in given_ if candidate.model in found]
    assert sum(candidate.size for candidate in chosen) >= need or not chosen
    assert cost(chosen) == min(map(cost, enough))


def test_of_equals_the_first_by_name_goes() -> None:
    assert cheapest([Candidate("b", 5, 1), Candidate("a", 5, 1)], 5) == {"a"}


def test_an_idle_model_goes_before_one_in_use_whatever_it_is_worth() -> None:
    idle, busy = Candidate("a", 5, 10**9), Candidate("b", 5, 0, in_use=True)
    assert cheapest([idle, busy], 5) == {"a"}


def test_two_hundred_candidates_take_milliseconds_and_none_too_many_go() -> None:
    random = Random(7)
    many = [
        Candidate(f"m{n}", random.randrange(1, 1 << 36), random.randrange(1, 1 << 30))
        for n in range(200)
    ]
    need = sum(candidate.size for candidate in many) // 3
    begun = time.process_time()
    found = cheapest(many, need)
    assert time.process_time() - begun < 3
    assert found
    chosen = [candidate for candidate in many if candidate.model in found]
    freed = sum(candidate.size for candidate in chosen)
    assert freed >= need
    assert all(freed - candidate.size < need for candidate in chosen)
