"""How a tier on Bedrock is, as far as the AWS configuration and its last calls tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstack.backends.breaker import Refused
from llmstack.backends.protocol import Health
from llmstack.backends.standing import standing_of
from llmstack.backends.static_problem import static_problem
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from llmstack.backends.breaker import Pass
    from llmstack.backends.protocol import House, Upstream

#: Seconds for which a look at the AWS configuration holds: people edit it while we run.
LOOK: Final = 5.0
#: Seconds for which an account that was refused counts as unusable.
REFUSED: Final = 30.0


class Standing:
    """What is known of a tier. Its breaker is its model's in its account: models fail alone."""

    def __init__(self, upstream: Upstream, house: House) -> None:
        self._name = upstream.name
        self._hosted = hosted = upstream.hosted
        where = f"bedrock {hosted.endpoint_url} {hosted.region} {hosted.model}"
        self._breaker = standing_of(house, where, hosted.profile).breaker
        self._house = house
        self._looked: float | None = None
        self._trouble = ""
        self._health = Health()
        self._refused_at = 0.0

    def trouble(self) -> str:
        """What stands in the way for sure, empty if nothing is known to."""
        now = self._house.now()
        if self._looked is None or now - self._looked >= LOOK:
            self._looked = now
            self._trouble = static_problem(self._hosted, self._house.environ)
        return self._trouble

    def health(self) -> Health:
        """How it is now."""
        if trouble := self.trouble():
            return Health("unusable", trouble)
        if self._health.state == "unusable":
            left = self._refused_at + REFUSED - self._house.now()
            if left <= 0:
                return Health("unknown", self._health.why)
            return Health("unusable", self._health.why, left)
        if not self._breaker.admits:
            return Health("down", self._health.why, self._breaker.wait)
        return self._health

    def enter(self) -> Pass:
        """Ask to be let in with a call.

        Raises:
            BackendFailed: the last ones failed, and it is not asked for a while.
        """
        entry = self._breaker.enter()
        if isinstance(entry, Refused):
            raise BackendFailed(
                f"{self._name} is not asked for now: it failed several times in a row",
                status=503,
                code="circuit_open",
                retry_after=entry.wait or 1.0,
                elsewhere=True,
                why=self._health.why,
            )
        return entry

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
