"""The calibrations of many models, and how they are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from llmstack.context.calibration import UNKNOWN, Calibration, is_sound

if TYPE_CHECKING:
    from llmstack.context.estimate import Sizes

VERSION: Final = 1
#: Models that are remembered; who was not heard of for longest goes first.
MOST: Final = 256
_LONGEST_NAME: Final = 512


class _File(msgspec.Struct):
    version: int
    models: dict[str, msgspec.Raw] = {}


_decoder = msgspec.json.Decoder(_File)


class Calibrations:
    """What is known of each model's tokenizer, at most of ``MOST`` models."""

    def __init__(self) -> None:
        self._known: dict[str, Calibration] = {}  # heard of last comes last

    def __len__(self) -> int:
        return len(self._known)

    def of(self, model: str) -> Calibration:
        """The calibration of ``model``; the safe one where nothing is known."""
        return self._known.get(model, UNKNOWN)

    def learn(self, model: str, sizes: Sizes, tokens: int) -> bool:
        """Take note of a prompt of ``model`` that had ``tokens``; whether that is news."""
        before = self.of(model)
        after = before.learned(sizes, tokens)
        if after is before or len(model) > _LONGEST_NAME:
            return False
        self._keep(model, after)
        return True

    def dumps(self) -> bytes:
        """All of it, as JSON."""
        return msgspec.json.encode({"version": VERSION, "models": self._known})

    @classmethod
    def loads(cls, data: bytes) -> Calibrations:
        """What ``dumps`` wrote; entries that are not sound are left out.

        Raises:
            ValueError: it is another kind of file.
        """
        try:
            file = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ValueError(str(error)) from None
        if file.version != VERSION:
            raise ValueError(f"its version is {file.version}")
        found = cls()
        for model, entry in file.models.items():
            try:
                calibration = msgspec.json.decode(entry, type=Calibration)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                continue
            if is_sound(calibration) and len(model) <= _LONGEST_NAME:
                found._keep(model, calibration)
        return found

    def _keep(self, model: str, calibration: Calibration) -> None:
        self._known.pop(model, None)
        self._known[model] = calibration
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
