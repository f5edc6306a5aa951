"""Choosing the number of threads."""

from __future__ import annotations

import math
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.llama_server.cores import (
    inference_threads,
    parse_cpus,
    parse_quota,
    thread_count,
)

# Four cores with two CPUs each.
SIBLINGS = {cpu: str(cpu % 4) for cpu in range(8)}


def test_two_cpus_of_a_core_count_once() -> None:
    assert thread_count(range(8), SIBLINGS, math.inf) == 4
    assert thread_count([0, 4], SIBLINGS, math.inf) == 1


def test_a_quota_counts_and_is_rounded_up() -> None:
    assert thread_count(range(8), SIBLINGS, 1.5) == 2
    assert thread_count(range(8), SIBLINGS, 0.1) == 1
    assert thread_count(range(8), SIBLINGS, 64.0) == 4


@given(st.sets(st.integers(0, 200)))
def test_a_cpu_list_is_read_whole(cpus: set[int]) -> None:
    assert parse_cpus(",".join(map(str, sorted(cpus)))) == cpus


def test_a_cpu_list_may_have_ranges() -> None:
    assert parse_cpus("0-3,8\n") == {0, 1, 2, 3, 8}
    assert parse_cpus("\n") == set()


@pytest.mark.parametrize(
    ("text", "cpus"), [("200000 100000\n", 2.0), ("max 100000", math.inf), ("", math.inf)]
)
def test_a_quota_is_read_in_cpus(text: str, cpus: float) -> None:
    assert parse_quota(text) == cpus


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is read on Linux")
def test_never_more_threads_than_cpus_of_the_process() -> None:
    assert 1 <= inference_threads() <= len(os.sched_getaffinity(0))
