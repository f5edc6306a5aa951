"""A routed request with everything that it was routed by, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from llmstack.routing.kind import Kind, Mode
    from llmstack.routing.route import Routed
    from llmstack.routing.session import Client


class Choice(msgspec.Struct, frozen=True):
    """What was chosen and what for."""

    routed: Routed
    client: Client
    kind: Kind
    mode: Mode

    def report(self) -> dict[str, Any]:
        """What ``GET /api/route`` answers: nothing in it says who the client is."""
        decision = self.routed.decision
        return {
            "model": decision.model,
            "reason": decision.reason,
            "tokens": decision.tokens,
            "session": self.client.shown,
            "subagent": self.client.is_subagent,
            "kind": self.kind,
            "mode": self.mode,
            "rule": decision.rule,
            "role": decision.role,
            "tried": list(decision.tried),
            "prices": [
                {
                    "stay": price.stay,
                    "target": price.target,
                    "seconds": round(price.seconds, 1),
                    "worth": round(price.worth, 1),
                }
                for price in self.routed.prices
            ],
        }
