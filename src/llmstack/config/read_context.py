"""How requests for a tier are fitted into its window: the keys of ``models.ini``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.context_settings import (
    POLICIES,
    TRUNCATIONS,
    ContextSettings,
    read_policy,
    read_truncation,
    share_fault,
)
from llmstack.config.numbers import BadValueError, parse_bool, parse_decimal, parse_int, shown

if TYPE_CHECKING:
    from llmstack.config.fields import Fields


def read_context(fields: Fields) -> ContextSettings:
    """The settings of one tier. What is wrong is recorded in ``fields``."""
    plain = ContextSettings()
    trigger, target = (fields.read(key, _share) for key in ("context_trigger", "context_target"))
    trigger, target = trigger or plain.trigger, target or plain.target
    if fault := share_fault(trigger, target):
        key = "context_target" if fields.has("context_target") else "context_trigger"
        fields.error(key, fault, "Write context_target = 0.6 and context_trigger = 0.85, say.")
    recent = fields.read("context_keep_recent", _count)
    hygiene = fields.read("prompt_hygiene", parse_bool)
    return ContextSettings(
        policy=read_policy(fields.choice("context_policy", POLICIES) or "") or plain.policy,
        truncation=read_truncation(fields.choice("truncation_mode", TRUNCATIONS) or "")
        or plain.truncation,
        trigger=trigger,
        target=target,
        keep_recent=plain.keep_recent if recent is None else recent,
        hygiene=plain.hygiene if hygiene is None else hygiene,
    )


def _share(text: str) -> float:
    value = parse_decimal(text, minimum=0, maximum=1)
    if not value:
        raise BadValueError(f"{shown(text)} leaves nothing", "Write 0.85, say.")
    return value


def _count(text: str) -> int:
    return parse_int(text, minimum=0)
