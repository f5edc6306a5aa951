"""Files the user writes, as frozen values; and the files written from those."""

from typing import TYPE_CHECKING

from llmstack.lazy import exports

if TYPE_CHECKING:
    from llmstack.config.environment import apply_environment
    from llmstack.config.key import Key
    from llmstack.config.keys import KEYS
    from llmstack.config.problems import Problem
    from llmstack.config.stack import (
        Channel,
        Rope,
        Routing,
        Sampler,
        Settings,
        Stack,
        Tier,
        Weights,
    )
    from llmstack.config.stack_loader import LoadedStack, load_stack, parse_stack
    from llmstack.config.templates import default_ini, render_demo_ini

__all__ = [
    "KEYS",
    "Channel",
    "Key",
    "LoadedStack",
    "Problem",
    "Rope",
    "Routing",
    "Sampler",
    "Settings",
    "Stack",
    "Tier",
    "Weights",
    "apply_environment",
    "default_ini",
    "load_stack",
    "parse_stack",
    "render_demo_ini",
]

__getattr__ = exports(
    __name__,
    {
        "apply_environment": "environment",
        "Channel": "stack",
        "default_ini": "templates",
        "Key": "key",
        "KEYS": "keys",
        "load_stack": "stack_loader",
        "LoadedStack": "stack_loader",
        "parse_stack": "stack_loader",
        "Problem": "problems",
        "render_demo_ini": "templates",
        "Rope": "stack",
        "Routing": "stack",
        "Sampler": "stack",
        "Settings": "stack",
        "Stack": "stack",
        "Tier": "stack",
        "Weights": "stack",
    },
)
