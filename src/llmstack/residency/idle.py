"""For how long running models have been idle, as far as a residency rule asks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Seconds for which each running model has been idle that could stop now; one that is stopping
#: already has infinity. A running model that is not there is in use.
Idle = Mapping[str, float]

ALL_IN_USE: Idle = MappingProxyType({})
