"""What each tier has cost this day and month, and whether that is more than it may.

Days and months are local time. Sums are whole billionths of a dollar, so that it makes no
difference in which order and in how many parts they were added up.

A sum has two parts: what the activity database holds, written there with the rows that cost it,
and what is still on its way. Another process on the same file is seen whenever rows of the same
tier are written here. What cannot be written stays on its way: it counts until the process ends.
A process that is killed loses what ended in its last moments, as it loses the rows.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from llmstack.errors import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.activity.record import ActivityRow
    from llmstack.config.hosted import Budget

NANO: Final = 1_000_000_000
#: No single answer counts for more than a million dollars, whatever its upstream says of tokens.
_MOST: Final = 1_000_000.0
PER_DAY: Final = "budget_usd_per_day"
PER_MONTH: Final = "budget_usd_per_month"

#: Tier and local day (``2026-01-31``), and billionths of a dollar.
Sums = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A budget that is spent.

    ``budget`` is its key in ``models.ini``, ``limit`` and ``spent`` are US dollars, ``retry_in``
    seconds until it starts anew.
    """

    tier: str
    budget: str
    limit: float
    spent: float
    retry_in: float

    @property
    def why(self) -> str:
        """What routing says of a tier that it steps over."""
        return f"over its {self.budget}"

    def error(self) -> BudgetSpent:
        """The answer for a request that names the tier."""
        return BudgetSpent(self.tier, self.budget, self.limit, self.spent, self.retry_in)


class Spend:
    """What tiers have cost. Safe to use from threads.

    ``zone`` is where days begin; None is this machine's. Only what has ended counts: requests that
    run at once may together go beyond a budget by what they cost.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        #: By tier and month (``2026-01``): the sum of each day.
        self._written: dict[tuple[str, str], dict[str, int]] = {}
        self._coming: dict[tuple[str, str], dict[str, int]] = {}
        self._lock = threading.Lock()

    def add(self, tier: str, usd: float, when: float) -> None:
        """An answer of ``tier`` that ended at ``when`` (epoch seconds) has cost ``usd``."""
        if nano := _nano(usd):
            day = self._day(when).isoformat()
            with self._lock:
                self._come(tier, day, nano)

    def spent(self, tier: str, when: float) -> tuple[float, float]:
        """US dollars of the day and of the month of ``when``."""
        day = self._day(when).isoformat()
        today = month = 0
        with self._lock:
            for sums in (self._written, self._coming):
                days = sums.get((tier, day[:7]), {})
                today += days.get(day, 0)
                month += sum(days.values())
        return today / NANO, month / NANO

    def exceeded(self, tier: str, budget: Budget, when: float) -> Exceeded | None:
        """The budget that ``tier`` has spent, None while there is some left.

        Of two the month's, which is the last to start anew.
        """
        if not budget:
            return None
        today, month = self.spent(tier, when)
        if budget.per_month is not None and month >= budget.per_month:
            wait = self._until(when, month=True)
            return Exceeded(tier, PER_MONTH, budget.per_month, month, wait)
        if budget.per_day is not None and today >= budget.per_day:
            return Exceeded(tier, PER_DAY, budget.per_day, today, self._until(when, month=False))
        return None

    # What the database is told, and what it tells.

    def due(self, rows: Iterable[ActivityRow]) -> Sums:
        """What ``rows`` add to the sums in the database."""
        sums: Counter[tuple[str, str]] = Counter()
        for row in rows:
            if row.tier and row.cost_usd and (nano := _nano(row.cost_usd)):
                sums[row.tier, self._day(row.timestamp).isoformat()] += nano
        return dict(sums)

    def written(self, due: Mapping[tuple[str, str], int], found: Sums) -> None:
        """``due`` is written now, and the database holds ``found``."""
        with self._lock:
            for (tier, day), nano in found.items():
                self._written.setdefault((tier, day[:7]), {})[day] = nano
            for (tier, day), nano in due.items():
                self._come(tier, day, -nano)

    def _come(self, tier: str, day: str, nano: int) -> None:
        days = self._coming.setdefault((tier, day[:7]), {})
        days[day] = days.get(day, 0) + nano
        if not days[day]:
            del days[day]

    def _day(self, when: float) -> date:
        return datetime.fromtimestamp(when, self._zone).date()

    def _until(self, when: float, *, month: bool) -> float:
        """Seconds until the next day or month begins here; days may have 23 or 25 hours."""
        today = self._day(when)
        first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        begins = first if month else today + timedelta(days=1)
        midnight = datetime(begins.year, begins.month, begins.day, tzinfo=self._zone)
        return max(midnight.timestamp() - when, 0.0)


def _nano(usd: float) -> int:
    return round(min(usd, _MOST) * NANO) if usd > 0 else 0
