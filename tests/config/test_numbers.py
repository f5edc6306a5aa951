"""Numbers, samplers and rope scalings as they are written in models.ini."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.grammars import parse_rope, parse_sampler
from llmstack.config.numbers import (
    MAX_TOKENS,
    BadValueError,
    parse_bool,
    parse_decimal,
    parse_gigabytes,
    parse_int,
    parse_port,
    parse_seconds,
    parse_tokens,
)
from llmstack.config.stack import Rope, Sampler

if TYPE_CHECKING:
    from collections.abc import Callable


def remedy(parse: Callable[[str], object], text: str) -> tuple[str, ...]:
    """What a parser says of a text that it refuses."""
    try:
        parse(text)
    except BadValueError as error:
        return error.what, error.fix
    return ()


UNIT = st.floats(0, 1).map(lambda value: round(value, 4))


@given(st.integers(0, MAX_TOKENS))
def test_tokens_round_trip(count: int) -> None:
    """A count is read back from every way of writing it."""
    assert parse_tokens(str(count)) == count
    assert parse_tokens(f"{count:_}") == count


@given(st.integers(0, MAX_TOKENS // 1024))
def test_k_is_1024(count: int) -> None:
    """64k is 65536, in either case."""
    assert parse_tokens(f"{count}k") == parse_tokens(f"{count}K") == count * 1024


@pytest.mark.parametrize(
    ("text", "count"), [("64k", 65_536), ("131_072", 131_072), ("1.5M", 1_572_864), ("1.5k", 1536)]
)
def test_token_examples(text: str, count: int) -> None:
    """The documented spellings mean what they say."""
    assert parse_tokens(text) == count


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("64,000", "Write 64000."),
        ("1.048.576", "Write 1048576."),
        ("1e5", "Write 100000."),
        ("-5", "Write a number such as"),
        ("abc", "Write a number such as"),
        ("64 k", "Write a number such as"),
        ("64kb", "Write a number such as"),
        ("1__0", "Write a number such as"),
        ("1.3k", "Write 1331."),
        ("0.5", "Write 0."),
        ("9M9", "Write a number such as"),
        ("9999999999", "Write less."),
        ("9" * 5000, f"Write a number of at most {MAX_TOKENS}."),
    ],
)
def test_w27_misreadable_counts_say_what_to_write(text: str, fix: str) -> None:
    """W27: forms that used to be cut off silently are errors with a remedy."""
    with pytest.raises(BadValueError) as caught:
        parse_tokens(text)
    assert caught.value.fix.startswith(fix)


@given(st.text(max_size=60))
def test_no_text_breaks_a_parser(text: str) -> None:
    """A parser returns a value or raises BadValueError with a remedy, for any text."""
    for parse in (
        parse_tokens,
        parse_port,
        parse_seconds,
        parse_bool,
        parse_gigabytes,
        parse_sampler,
        parse_rope,
        lambda value: parse_int(value, minimum=0),
        lambda value: parse_decimal(value, minimum=0, maximum=1),
    ):
        assert all(remedy(parse, text))


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1200", 1200), ("90s", 90), ("20m", 1200), ("1h", 3600)]
)
def test_seconds_with_units(text: str, seconds: int) -> None:
    """A time may have a unit."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["-1", "1d", "1.5h", "soon"])
def test_other_times_are_refused(text: str) -> None:
    """What is not a time is refused with an example."""
    with pytest.raises(BadValueError, match="not a number of seconds"):
        parse_seconds(text)


def test_a_size_has_no_unit() -> None:
    """A size with its unit is refused with the number to write."""
    assert parse_gigabytes("9.2") == 9.2
    with pytest.raises(BadValueError) as caught:
        parse_gigabytes("9.2 GB")
    assert caught.value.fix.startswith("Write 9.2;")


@given(
    st.builds(Sampler, temp=UNIT, top_p=UNIT, top_k=st.integers(0, 1000), min_p=UNIT, rep_pen=UNIT),
    st.sampled_from([" ", ", ", ";", "  "]),
    st.sampled_from(["=", " = "]),
)
def test_sampler_round_trips(sampler: Sampler, separator: str, equals: str) -> None:
    """A sampler is read back whatever separates its items."""
    items = (f"{name}{equals}{value}" for name, value in asdict(sampler).items())
    assert parse_sampler(separator.join(items)) == (sampler, ())


def test_a_sampler_keeps_small_numbers_and_any_case() -> None:
    """W27: 1e-3 is not 1, and TEMP is temp."""
    assert parse_sampler("TEMP=1e-3")[0] == Sampler(temp=0.001)


def test_unknown_sampler_names_are_returned() -> None:
    """A name that nobody knows does not spoil the others."""
    assert parse_sampler("temp=1 topp=0.9") == (Sampler(temp=1), ("topp",))


@pytest.mark.parametrize(
    "text",
    ["temp 0.5", "top_p:0.9", "temp=1.2.3", "temp=.", "temp=-1", "top_k=1.5", "temp=1 temp=2"],
)
def test_w27_malformed_samplers_are_refused(text: str) -> None:
    """W27: an item that cannot be read is an error, not ignored."""
    with pytest.raises(BadValueError):
        parse_sampler(text)


@pytest.mark.parametrize(
    ("text", "rope"),
    [
        ("yarn (scale=4, orig_ctx=32768)", Rope(4, 32_768)),
        ("yarn(orig_ctx=32k scale=2.5)", Rope(2.5, 32_768)),
        ("yarn (type=qwen2, scale=4, orig_ctx=32768)", Rope(4, 32_768, "qwen2")),
        ("YaRN ( scale = 4 , orig_ctx = 32768 , type = qwen2 )", Rope(4, 32_768, "qwen2")),
    ],
)
def test_rope_in_both_forms_and_any_order(text: str, rope: Rope) -> None:
    """Both generations' spellings are read, in any order and with fractions."""
    assert parse_rope(text) == rope


@pytest.mark.parametrize(
    "text",
    [
        "linear (scale=2, orig_ctx=4096)",
        "yarn",
        "yarn (scale=4)",
        "yarn (scale=0, orig_ctx=4096)",
        "yarn (scale=4, orig_ctx=0)",
        "yarn (scale=4, orig_ctx=4096, beta=1)",
        "yarn (scale=4, scale=4, orig_ctx=4096)",
        "yarn (scale=4, orig_ctx=4096, type=a.b)",
    ],
)
def test_w27_other_rope_scalings_are_refused(text: str) -> None:
    """W27: a rope scaling that cannot be followed is an error, not ignored."""
    with pytest.raises(BadValueError) as caught:
        parse_rope(text)
    assert caught.value.fix
