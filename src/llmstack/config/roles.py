"""What follows from a tier's role: its other names and how long it stays loaded."""

from __future__ import annotations

from llmstack.config.stack import KNOWN_ROLES

#: Every role that means something; other words are accepted with a warning.
ROLES = (*KNOWN_ROLES, "publish")

DEFAULT_ALIASES: dict[str, tuple[str, ...]] = {
    "fast": ("fast", "small", "autocomplete"),
    "agent": ("agent", "smart", "code", "coder"),
    "plan": ("plan", "planner", "chat"),
    "plan-uncensored": ("uncensored", "nofilter", "plan-nofilter", "heretic"),
}

#: Seconds of idleness after which a tier is unloaded; 0 is never.
DEFAULT_TTL: dict[str, int] = {"fast": 0, "agent": 1800, "publish": 1000}
OTHER_TTL = 1200

_NEWER_ROLES = {"chat": "plan", "nofilter-chat": "plan-uncensored"}
_BEHAVIOURS = {"subagent": "fast", "agent": "agent", "orchestrator": "ultra"}


def role_of(role: str, tier: str) -> str:
    """The role meant by the keys ``role`` and ``tier`` of either generation of files.

    The newer generation says ``role = build`` for all coding tiers and tells them apart by
    ``tier = subagent``, ``agent`` or ``orchestrator``.
    """
    if role == "build":
        return _BEHAVIOURS.get(tier, "agent")
    if not role:
        return _BEHAVIOURS.get(tier, "")
    return _NEWER_ROLES.get(role, role)


def default_ttl(role: str) -> int:
    """Seconds of idleness that a tier of this role is kept for, 0 for ever."""
    return DEFAULT_TTL.get(role, OTHER_TTL)
