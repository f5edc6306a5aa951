"""What is learned from reported usage comes close to the tokenizer, safely and soon."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.context.calibration import CEILING, DEFAULT, FLOOR, UNKNOWN, Calibration, is_sound
from llmstack.context.estimate import Sizes

#: Beside no tool definitions, which templates without tools leave out.
tokenizers = st.tuples(
    *(
        st.floats(max(low, 0.35 * usual), min(high, 1.6 * usual))
        for usual, low, high in zip(DEFAULT, FLOOR, CEILING, strict=True)
    )
).flatmap(lambda prices: st.sampled_from([prices, (*prices[:3], 0.0, *prices[4:])]))


def asked(random: Random) -> Sizes:
    """A request of any kind: short and long, with and without tools, pictures, other scripts."""
    return Sizes(
        latin=round(random.choice([500, 3000, 20_000, 100_000]) * random.random()),
        wide=round(random.choice([0, 0, 5000, 30_000]) * random.random()),
        data=round(random.choice([0, 2000, 20_000]) * random.random()),
        tools=random.choice([0, 0, 12_000, 25_000, 25_000]),
        images=random.choice([0, 0, 0, 1, 3]),
        items=random.randint(1, 60),
    )


def count(prices: tuple[float, ...], sizes: Sizes) -> int:
    return max(1, round(sum(price * size for price, size in zip(prices, sizes.row, strict=True))))


def errors(known: Calibration, prices: tuple[float, ...], random: Random) -> list[float]:
    fresh = [sizes for sizes in (asked(random) for _ in range(60)) if count(prices, sizes) > 500]
    return sorted(abs(known.tokens(sizes) / count(prices, sizes) - 1) for sizes in fresh)


@settings(deadline=None)
@given(tokenizers, st.integers(0, 1 << 32))
def test_sixty_answers_bring_new_requests_within_a_twentieth(
    prices: tuple[float, ...], seed: int
) -> None:
    random = Random(seed)
    known = UNKNOWN
    for _ in range(60):
        sizes = asked(random)
        known = known.learned(sizes, count(prices, sizes))
    found = errors(known, prices, random)  # sixty may have no more than one picture among them
    assert found[len(found) * 9 // 10] < 0.05
    assert known.seen > 50


def test_noise_and_wild_reports_are_lived_through() -> None:
    """One report in ten is a third, four times or next to nothing of the truth."""
    middles = []
    for seed in range(60):
        random = Random(seed)
        prices = tuple(price * random.uniform(0.6, 1.4) for price in DEFAULT)
        known = UNKNOWN
        for turn in range(80):
            sizes = asked(random)
            tokens = round(count(prices, sizes) * random.uniform(0.98, 1.02))
            wild = (1, tokens // 3, tokens * 4)
            known = known.learned(sizes, random.choice(wild) if turn % 10 == 7 else tokens)
        found = errors(known, prices, random)
        middles.append(found[len(found) // 2])
    assert sorted(middles)[len(middles) * 9 // 10] < 0.05


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.builds(
                Sizes,
                *[st.integers(0, 1 << 22)] * 4,
                st.integers(0, 50),
                st.integers(1, 4000),
            ),
            st.integers(-5, 1 << 25),
        ),
        max_size=40,
    )
)
def test_nothing_that_is_reported_leads_below_the_floor_or_out_of_bounds(
    reports: list[tuple[Sizes, int]],
) -> None:
    known = UNKNOWN
    for sizes, tokens in reports:
        known = known.learned(sizes, tokens)
        assert is_sound(known)
    for price, low, high in zip(known.prices, FLOOR, CEILING, strict=True):
        assert low <= price <= high


@pytest.mark.parametrize("tokens", [-1, 0, 1, 12, 900])
def test_a_report_without_the_cached_tokens_is_passed_over(tokens: int) -> None:
    """Servers that report only what they processed would teach that text costs nothing."""
    assert UNKNOWN.learned(Sizes(latin=20_000, tools=25_000, items=9), tokens) is UNKNOWN


@pytest.mark.parametrize(("factor", "agreeing"), [(2, 2), (0.5, 3)])
def test_one_odd_report_moves_nothing_and_some_that_agree_are_believed(
    factor: float, agreeing: int
) -> None:
    """More tokens are believed sooner: a report that leaves something out can only be too small."""
    prices = (0.25, 1.0, 0.3, 0.25, 1000.0, 5.0)
    known = UNKNOWN
    for size in range(20):
        sizes = Sizes(latin=5000 + 900 * size, tools=20_000, items=4 + size)
        known = known.learned(sizes, count(prices, sizes))
    sizes = Sizes(latin=20_000, tools=20_000, items=10)
    odd = round(factor * count(prices, sizes))
    after = known
    for _ in range(agreeing - 1):
        after = after.learned(sizes, odd)
        assert after.prices == known.prices
    assert after.learned(sizes, odd).tokens(sizes) == pytest.approx(odd, rel=0.2)


def test_a_template_that_leaves_tools_out_does_not_make_text_cheap() -> None:
    """With one factor for all, a history that has grown would look like a third of itself."""
    known = UNKNOWN
    for size in range(5):
        sizes = Sizes(latin=8000 + 300 * size, tools=24_000, items=3)
        known = known.learned(sizes, round(0.25 * sizes.latin + 20))
    grown = Sizes(latin=60_000, tools=24_000, items=60)
    assert known.tokens(grown) > 0.25 * 60_000 * 0.95


def test_what_a_request_has_not_teaches_nothing_about_its_price() -> None:
    known = UNKNOWN
    for _ in range(50):
        known = known.learned(Sizes(latin=10_000, items=5), 2400)
    assert known.prices[1:5] == DEFAULT[1:5]


def test_the_defaults_are_on_the_safe_side_of_a_real_tokenizer() -> None:
    """SmolLM2's, measured: English code and prose, Russian, Hindi and Chinese, definitions."""
    measured = {"latin": 0.32, "wide": 1.62, "tools": 0.26, "data": 0.41}
    for name, price in measured.items():
        assert UNKNOWN.tokens(Sizes(**{name: 10_000})) >= 10_000 * price
