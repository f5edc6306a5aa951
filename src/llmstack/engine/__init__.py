"""Local model processes: start, health, queue, swap, stop. ``design.md`` holds the invariants."""

from typing import TYPE_CHECKING

from llmstack.lazy import exports

if TYPE_CHECKING:
    from llmstack.engine.engine import Engine
    from llmstack.engine.events import ModelChanged
    from llmstack.engine.identity import Identity
    from llmstack.engine.lease import Lease
    from llmstack.engine.plan import State
    from llmstack.engine.status import ModelStatus

__all__ = ["Engine", "Identity", "Lease", "ModelChanged", "ModelStatus", "State"]

__getattr__ = exports(
    __name__,
    {
        "Engine": "engine",
        "Identity": "identity",
        "Lease": "lease",
        "ModelChanged": "events",
        "ModelStatus": "status",
        "State": "plan",
    },
)
