"""How many requests a key may make: a bucket that fills up evenly (pure)."""

from __future__ import annotations


class TokenBucket:
    """Lets through ``rate`` requests a minute, and as many at once after a quiet minute."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: int, now: float) -> None:
        """``now`` is in seconds, of any clock that never goes back."""
        self.rate = rate
        self._level = float(rate)
        self._at = now

    def take(self, now: float) -> float:
        """0 if a request may pass now, else the seconds after which one may."""
        level = min(float(self.rate), self._level + max(0.0, now - self._at) * self.rate / 60)
        self._at = max(self._at, now)
        if level >= 1:
            self._level = level - 1
            return 0.0
        self._level = level
        return (1 - level) * 60 / self.rate
