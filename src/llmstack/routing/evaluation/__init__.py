"""How well a way of routing does on labelled user turns. Pure: values in, numbers out."""

from llmstack.routing.evaluation.evaluate import Evaluation, evaluate
from llmstack.routing.evaluation.policies import Policy, baselines, by_ladder, every_role
from llmstack.routing.evaluation.request import Request, request
from llmstack.routing.evaluation.turn import Turn, read_turns
from llmstack.routing.evaluation.with_session import by_session

__all__ = [
    "Evaluation",
    "Policy",
    "Request",
    "Turn",
    "baselines",
    "by_ladder",
    "by_session",
    "evaluate",
    "every_role",
    "read_turns",
    "request",
]
