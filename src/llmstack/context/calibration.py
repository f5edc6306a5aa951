"""What one model's tokenizer makes of text, learned from the prompt tokens of its answers.

The six prices of ``Sizes`` are separate because they move separately. One factor for all would go
wrong where it matters: a template that leaves tools out makes the first requests of a session cost
a third of what was expected, and the same factor would then make a grown history look harmless.

They are learned by recursive least squares with forgetting (a Kalman filter whose state drifts),
the several-valued form of an exponential average: an observation moves the prices that it says
something of, and most of all those of which least is known. A request without images leaves the
price of images alone. A single odd number moves nothing; some that agree are believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.estimate import Sizes

#: Tokens of one Latin and one other character, one of data and one of tools, an image, an item:
#: before anything is known. SmolLM2, whose vocabulary is small and English, needs 0.23 to 0.33 for
#: code and English, 0.40 for German and for data, 1.65 for Japanese.
DEFAULT: Final = (0.33, 1.7, 0.42, 0.29, 1500.0, 8.0)
#: Nothing that is learned goes below: a denser tokenizer is not known, and a mistake must not make
#: a prompt look empty. Templates do leave tools and images out.
FLOOR: Final = (0.1, 0.15, 0.02, 0.0, 0.0, 0.0)
#: Nor above: a token has at least a byte, a character at most four.
CEILING: Final = (1.2, 4.5, 1.5, 1.2, 20_000.0, 100.0)
#: How far off the defaults may well be.
_DOUBT: Final = (0.12, 0.8, 0.15, 0.15, 1500.0, 6.0)
#: What a price drifts by from one request to the next, as a part of its doubt.
_DRIFT: Final = 0.03
#: Requests of the same sizes differ by as much as the estimates were off lately, within these
#: parts, and by some tokens more.
_LEAST_NOISE: Final = 0.01
_MOST_NOISE: Final = 0.05
_NOISE_TOKENS: Final = 12.0
#: The part of a prompt from which on it says something of a price.
_SMALL: Final = 0.05
#: Standard deviations beyond which an observation is odd, and how many must agree to be believed.
#: Fewer where there were more tokens: what is left out of a report can only make it too small.
_ODD: Final = 2.5
_AGREE_MORE: Final = 2
_AGREE_LESS: Final = 3
#: How much the latest error counts in the average.
_NEWEST: Final = 0.2
#: The average error that is assumed before there was one, and the most that one counts for.
_WORST_ERROR: Final = 0.3
_MOST_SEEN: Final = 1 << 20

Row = tuple[float, ...]
_SIDE: Final = len(DEFAULT)
_PRIOR: Final = tuple(
    _DOUBT[row] ** 2 if row == column else 0.0 for row in range(_SIDE) for column in range(_SIDE)
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The prices of one model, in tokens, in the order of the members of ``Sizes``.

    ``covariance`` is the doubt about them, row by row. ``seen`` counts observations, ``odd`` those
    that were odd in one direction (its sign) since the last that was not. ``error`` is how far off
    the last estimates were, as a part of the truth.
    """

    prices: Row = DEFAULT
    covariance: Row = _PRIOR
    seen: int = 0
    odd: int = 0
    error: float = _WORST_ERROR

    def tokens(self, sizes: Sizes) -> float:
        """The tokens that ``sizes`` cost."""
        return _dot(self.prices, sizes.row)

    def learned(self, sizes: Sizes, tokens: int) -> Calibration:
        """This, knowing that a prompt of ``sizes`` had ``tokens``, those from a cache included.

        A number that no tokenizer could come to is passed over: some servers report what they
        processed only, or nothing.
        """
        measured = sizes.row
        if not _possible(measured, tokens):
            return self
        error = tokens - _dot(self.prices, measured)
        # What is a small part of a prompt would take all the noise of the rest for its own.
        measured = tuple(
            size if size * price >= _SMALL * tokens else 0.0
            for size, price in zip(measured, DEFAULT, strict=True)
        )
        doubt = self.covariance
        shares = [_dot(row, measured) for row in _rows(doubt)]
        part = min(max(self.error, _LEAST_NOISE), _MOST_NOISE)
        noise = (part * tokens) ** 2 + _NOISE_TOKENS**2
        spread = _dot(shares, measured) + noise
        off = self.error + _NEWEST * (min(abs(error) / tokens, _WORST_ERROR) - self.error)
        odd = self._odd(error, spread)
        if -_AGREE_LESS < odd < _AGREE_MORE and odd:
            return replace(self, odd=odd, error=off)
        if odd:  # the text has changed for good: what was known of it is no more than a guess
            doubt = _PRIOR
            shares = [_dot(row, measured) for row in _rows(doubt)]
            spread = _dot(shares, measured) + noise
        doubt = _drifted([a - b / spread for a, b in zip(doubt, _outer(shares), strict=True)])
        moved = [
            price + share * error / spread for price, share in zip(self.prices, shares, strict=True)
        ]
        seen = min(self.seen + 1, _MOST_SEEN)
        return Calibration(_bounded(moved, doubt), doubt, seen, 0, off)

    def _odd(self, error: float, spread: float) -> int:
        """How many odd observations agree now, with the sign of ``error``; 0 if it is not odd."""
        if error**2 <= _ODD**2 * spread:
            return 0
        side = 1 if error > 0 else -1
        return self.odd + side if self.odd * side > 0 else side


#: Of a model that nobody has heard of.
UNKNOWN: Final = Calibration()


def is_sound(calibration: Calibration) -> bool:
    """Whether its numbers can be of our own making; a file may hold any."""
    prices, doubt = calibration.prices, calibration.covariance
    if len(prices) != _SIDE or len(doubt) != _SIDE**2 or not all(map(isfinite, (*prices, *doubt))):
        return False
    if not all(low <= one <= high for low, one, high in zip(FLOOR, prices, CEILING, strict=True)):
        return False
    spreads = [doubt[place * (_SIDE + 1)] for place in range(_SIDE)]
    return (
        all(0 < spread <= most**2 * 1.0001 for spread, most in zip(spreads, _DOUBT, strict=True))
        and all(
            doubt[row * _SIDE + column] ** 2 <= spreads[row] * spreads[column] * 1.0001
            for row in range(_SIDE)
            for column in range(_SIDE)
        )
        and 0 <= calibration.seen <= _MOST_SEEN
        and -_AGREE_LESS < calibration.odd < _AGREE_MORE
        and 0 <= calibration.error <= 1
    )


def _possible(sizes: Row, tokens: int) -> bool:
    return tokens > 0 and _dot(FLOOR, sizes) <= tokens <= _dot(CEILING, sizes)


def _bounded(prices: list[float], doubt: Row) -> Row:
    """``prices`` within floor and ceiling.

    Where one is put back, the others move as far as they were wrong together with it.
    """
    for place, (low, high) in enumerate(zip(FLOOR, CEILING, strict=True)):
        if over := min(max(prices[place], low), high) - prices[place]:
            row = doubt[place * _SIDE : (place + 1) * _SIDE]
            prices = [
                price + over * share / row[place] for price, share in zip(prices, row, strict=True)
            ]
    return tuple(
        min(max(price, low), high) for price, low, high in zip(prices, FLOOR, CEILING, strict=True)
    )


def _drifted(doubt: list[float]) -> Row:
    """``doubt`` with what time adds to it, never more than there was at first."""
    for place, first in enumerate(_DOUBT):
        doubt[place * (_SIDE + 1)] += (_DRIFT * first) ** 2
    shrink = [
        min(1.0, first / sqrt(max(doubt[place * (_SIDE + 1)], 1e-12)))
        for place, first in enumerate(_DOUBT)
    ]
    return tuple(
        # The mean of both halves: rounding must not make them differ.
        (doubt[row * _SIDE + column] + doubt[column * _SIDE + row])
        / 2
        * shrink[row]
        * shrink[column]
        for row in range(_SIDE)
        for column in range(_SIDE)
    )


def _rows(matrix: Row) -> list[Row]:
    return [matrix[start : start + _SIDE] for start in range(0, _SIDE**2, _SIDE)]


def _outer(vector: Sequence[float]) -> list[float]:
    return [a * b for a in vector for b in vector]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    total: float = sum(map(mul, one, other))
    return total
