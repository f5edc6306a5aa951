"""A day of requests put through a policy on an imagined machine. Pure."""

from llmstack.routing.simulation.costs import Cost, cost_of, costs_of
from llmstack.routing.simulation.day import day
from llmstack.routing.simulation.event import Event
from llmstack.routing.simulation.machine import Served, SimulatedMachine
from llmstack.routing.simulation.policies import (
    ExplicitPolicy,
    LadderPolicy,
    NamedFirst,
    OncePolicy,
    Policy,
    Remembered,
    StickyPolicy,
)
from llmstack.routing.simulation.simulate import Outcome, Step, outcome, simulate

__all__ = [
    "Cost",
    "Event",
    "ExplicitPolicy",
    "LadderPolicy",
    "NamedFirst",
    "OncePolicy",
    "Outcome",
    "Policy",
    "Remembered",
    "Served",
    "SimulatedMachine",
    "Step",
    "StickyPolicy",
    "cost_of",
    "costs_of",
    "day",
    "outcome",
    "simulate",
]
