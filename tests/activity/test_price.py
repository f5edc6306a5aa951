"""An answer costs what its tokens cost, each kind at its own price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.price import cost_of
from llmstack.config.stack import Prices
from llmstack.dialects.translation.reply import Usage

MILLION = 1_000_000
COUNTS = st.integers(0, 10**9)
PRICE = st.floats(0, 1000)
PRICES = st.builds(Prices, *[st.one_of(st.none(), PRICE)] * 4)
USAGES = st.builds(
    lambda fresh, cached, written, output: Usage(fresh + cached + written, output, cached, written),
    *[COUNTS] * 4,
)


@pytest.mark.parametrize(
    ("usage", "prices", "cost"),
    [
        (Usage(MILLION, 0), Prices(input=3), 3),
        (Usage(0, MILLION), Prices(output=15), 15),
        (Usage(MILLION, MILLION), Prices(input=3, output=15), 18),
        # Reasoning is part of the output and has no price of its own.
        (Usage(0, MILLION, reasoning=MILLION), Prices(output=15), 15),
        # Cached tokens are part of the prompt and cost less; written ones more.
        (Usage(MILLION, 0, cached=MILLION), Prices(3, 15, cache_read=0.3), 0.3),
        (Usage(MILLION, 0, cached=MILLION), Prices(3, 15, cache_read=0), 0),
        (Usage(MILLION, 0, 400_000, 100_000), Prices(10, 0, 1, 20), 5 + 0.4 + 2),
        # Where that is not said they cost what the others do.
        (Usage(MILLION, 0, 400_000, 100_000), Prices(input=10), 10),
        # One price that is stated makes the others nothing.
        (Usage(MILLION, MILLION), Prices(input=3), 3),
        (Usage(MILLION, MILLION, MILLION), Prices(cache_read=0.5), 0.5),
        # Parts that are more than the whole are charged as they are said.
        (Usage(10, 0, cached=MILLION), Prices(3, 15, cache_read=1), 1),
        (Usage(), Prices(input=3), 0),
    ],
)
def test_every_kind_of_token_has_its_price(usage: Usage, prices: Prices, cost: float) -> None:
    assert cost_of(usage, prices) == pytest.approx(cost)


def test_a_free_model_costs_nothing_and_one_without_prices_nobody_knows_what() -> None:
    assert cost_of(Usage(5, 5), Prices(input=0, output=0)) == 0
    assert cost_of(Usage(5, 5), Prices()) is None


@given(USAGES, PRICES)
def test_a_cost_is_never_negative_and_known_when_any_price_is(usage: Usage, prices: Prices) -> None:
    cost = cost_of(usage, prices)
    assert (cost is None) == (prices == Prices())
    assert cost is None or cost >= 0


@given(USAGES, USAGES, PRICES)
def test_two_answers_cost_what_they_cost_together(one: Usage, two: Usage, prices: Prices) -> None:
    both = Usage(
        one.input + two.input,
        one.output + two.output,
        one.cached + two.cached,
        one.cache_written + two.cache_written,
    )
    costs = cost_of(one, prices), cost_of(two, prices), cost_of(both, prices)
    assert None in costs or costs[2] == pytest.approx((costs[0] or 0) + (costs[1] or 0))


@given(USAGES, COUNTS, PRICES)
def test_more_words_never_cost_less(usage: Usage, more: int, prices: Prices) -> None:
    longer = Usage(usage.input + more, usage.output + more, usage.cached, usage.cache_written)
    assert (cost_of(longer, prices) or 0) >= (cost_of(usage, prices) or 0)
