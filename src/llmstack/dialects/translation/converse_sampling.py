"""How the next token is chosen, as Converse's ``inferenceConfig`` and what is beside it."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import Sampling

if TYPE_CHECKING:
    from llmstack.dialects.translation.converse_family import Family
    from llmstack.dialects.translation.converse_thinking import Thinking

Json = dict[str, Any]


def combined(caller: Sampling, defaults: Sampling, family: Family) -> Sampling:
    """``caller``'s values before ``defaults``'; temperature before top_p where one is allowed."""
    said = {
        name: value
        for name in (each.name for each in fields(Sampling))
        if (value := getattr(caller, name)) not in (None, ())
    }
    merged = replace(defaults, **said)
    if not family.one_of_temperature_and_top_p or merged.temperature is None:
        return merged
    if caller.temperature is None and caller.top_p is not None:
        return replace(merged, temperature=None)
    return replace(merged, top_p=None)


def write_sampling(sampling: Sampling, family: Family, thinking: Thinking) -> tuple[Json, Json]:
    """``inferenceConfig`` and what goes into ``additionalModelRequestFields``."""
    config: Json = {}
    extra: Json = {}
    stops = cleaned_stops(sampling.stop, family)
    if stops:
        config["stopSequences"] = stops
    if thinking.alone:
        return config, extra
    if sampling.max_output is not None and sampling.max_output > 0:
        config["maxTokens"] = sampling.max_output
    if not family.samples:
        return config, extra
    temperature, top_p = _share(sampling.temperature), _share(sampling.top_p)
    if temperature is not None and not thinking.claude:
        config["temperature"] = temperature
    # While Claude thinks it takes a top_p of 0.95 and above only.
    if top_p is not None and (not thinking.claude or top_p >= 0.95):
        config["topP"] = top_p
    if sampling.top_k is not None and sampling.top_k > 0 and not thinking.claude:
        if family.vendor == "claude":
            extra["top_k"] = sampling.top_k
        elif family.vendor == "nova":
            extra["inferenceConfig"] = {"topK": sampling.top_k}
    return config, extra


def cleaned_stops(stops: tuple[str, ...], family: Family) -> list[str]:
    """Each stop once; none that is empty, nor, for Claude, blank."""
    blank_too = family.vendor in ("claude", "unknown")
    kept = [stop for stop in stops if (stop.strip() if blank_too else stop)]
    return list(dict.fromkeys(kept))


def _share(value: float | None) -> float | None:
    """Converse takes 0 to 1; OpenAI's temperatures reach 2."""
    if value is None or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), 1.0)
