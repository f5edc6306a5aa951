"""Which tier answers a request that asks for ``auto``. Pure: values in, a decision out.

``decide`` is the bare ladder; ``route`` is the choice that also knows the session and the machine.
"""

from llmstack.routing.choice import Choice
from llmstack.routing.decide import decide, requested
from llmstack.routing.decision import Decision
from llmstack.routing.kind import SIDE, Kind, Mode, kind_of, mode_of
from llmstack.routing.ladder import Ladder, Role, Rung, ladder
from llmstack.routing.price import NOWHERE, UNKNOWN, Cached, Machine, Place, Price
from llmstack.routing.route import Routed, named, route
from llmstack.routing.session import Client, client_of, fingerprint
from llmstack.routing.terse import is_terse
from llmstack.routing.turns import SessionState
from llmstack.routing.words import Words, words

__all__ = [
    "NOWHERE",
    "SIDE",
    "UNKNOWN",
    "Cached",
    "Choice",
    "Client",
    "Decision",
    "Kind",
    "Ladder",
    "Machine",
    "Mode",
    "Place",
    "Price",
    "Role",
    "Routed",
    "Rung",
    "SessionState",
    "Words",
    "client_of",
    "decide",
    "fingerprint",
    "is_terse",
    "kind_of",
    "ladder",
    "mode_of",
    "named",
    "requested",
    "route",
    "words",
]
