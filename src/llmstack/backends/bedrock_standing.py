"""How an account on Bedrock is, as far as its files and its last calls tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstack.backends.bedrock_account import trouble_of
from llmstack.backends.protocol import Health

if TYPE_CHECKING:
    from llmstack.backends.bedrock_account import Account, Trouble
    from llmstack.backends.protocol import House

#: Seconds for which a look at the AWS configuration holds: people edit it while we run.
LOOK: Final = 5.0
#: Seconds for which an account that was refused counts as unusable.
REFUSED: Final = 30.0


class Standing:
    """``ok``, ``unknown`` or ``unusable``; whether it is ``down`` is for a breaker to say."""

    def __init__(self, account: Account, house: House) -> None:
        self._account = account
        self._house = house
        self._looked: float | None = None
        self._trouble: Trouble | None = None
        self._health = Health()
        self._refused_at = 0.0

    def trouble(self) -> Trouble | None:
        """What stands in the way for sure."""
        now = self._house.now()
        if self._looked is None or now - self._looked >= LOOK:
            self._looked = now
            self._trouble = trouble_of(self._account, self._house.environ)
        return self._trouble

    def health(self) -> Health:
        """How it is now."""
        if trouble := self.trouble():
            return Health("unusable", f"{trouble.why}. {trouble.fix}")
        if self._health.state == "unusable":
            left = self._refused_at + REFUSED - self._house.now()
            if left <= 0:
                return Health("unknown", self._health.why)
            return Health("unusable", self._health.why, left)
        return self._health

    def answered(self) -> None:
        """A call was answered."""
        self._health = Health("ok")

    def failed(self, why: str) -> None:
        """A call failed at Bedrock, which says little of the next one."""
        self._health = Health("unknown", why)

    def refused(self, why: str) -> None:
        """There are no credentials, or AWS does not take them."""
        self._health = Health("unusable", why)
        self._refused_at = self._house.now()
