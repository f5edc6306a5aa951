"""What tiers have cost so far, against what they may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.activity import Spend
from llmstack.config.hosted import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from llmstack.activity import Exceeded
    from llmstack.config.stack import Prices


class Budgets:
    """The ``prices`` and ``budgets`` of tiers, and what they have cost.

    A budget's day begins at midnight in ``zone``, None for this machine's. ``settle`` counts what
    has ended and is not counted yet: every question asks for that first.
    """

    def __init__(
        self,
        prices: Mapping[str, Prices],
        budgets: Mapping[str, Budget],
        settle: Callable[[], None],
        now: Callable[[], float],
        zone: tzinfo | None = None,
    ) -> None:
        self.prices = prices
        self.spend = Spend(zone)
        self._budgets = {tier: budget for tier, budget in budgets.items() if budget}
        self._settle = settle
        self._now = now

    def exceeded(self, tier: str) -> Exceeded | None:
        """The budget that ``tier`` has spent, with all that has ended by now; None while not."""
        budget = self._budgets.get(tier)
        if budget is None:
            return None
        self._settle()
        return self.spend.exceeded(tier, budget, self._now())

    def over(self) -> dict[str, Exceeded]:
        """The tiers that have spent one of their budgets."""
        found = ((tier, self.exceeded(tier)) for tier in self._budgets)
        return {tier: exceeded for tier, exceeded in found if exceeded}

    def rows(self) -> list[dict[str, Any]]:
        """Of each tier that has a price or a budget: what it has cost and may cost, in dollars.

        ``over`` names the key of the budget that is spent, None while none is.
        """
        self._settle()
        now, rows = self._now(), []
        for tier in dict.fromkeys((*self.prices, *self._budgets)):
            budget = self._budgets.get(tier) or Budget()
            today, month = self.spend.spent(tier, now)
            over = self.spend.exceeded(tier, budget, now)
            rows.append(
                {
                    "tier": tier,
                    "today_usd": today,
                    "month_usd": month,
                    "budget_usd_per_day": budget.per_day,
                    "budget_usd_per_month": budget.per_month,
                    "over": over.budget if over else None,
                }
            )
        return rows
