"""``[DEFAULT]`` and ``[ROUTING]`` as frozen values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from llmstack.config.numbers import (
    MAX_PORT,
    BadValueError,
    parse_bool,
    parse_int,
    parse_port,
    parse_seconds,
    parse_tokens,
    shown,
)
from llmstack.config.read_context import read_context
from llmstack.config.read_network import parse_hosts, parse_origins
from llmstack.config.read_server import local_path, read_server
from llmstack.config.stack import Routing, Settings
from llmstack.config.upstream_url import parse_url

if TYPE_CHECKING:
    from llmstack.config.fields import Fields

T = TypeVar("T")

#: Most megabytes of captures: as much as a large machine's memory.
MAX_CAPTURES = 1 << 20

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def read_settings(fields: Fields, base: Path) -> Settings:
    """The daemon's settings; paths are relative to ``base``."""
    default = Settings()
    return Settings(
        host=_or(fields.read("host", parse_host), default.host),
        router_host=_or(fields.read("router_host", parse_host), default.router_host),
        router_port=_or(fields.read("router_port", parse_port), default.router_port),
        engine_port=_or(fields.read("engine_port", parse_port), default.engine_port),
        start_port=_or(fields.read("start_port", parse_port), default.start_port),
        engine="llama-swap"
        if fields.choice("engine", ("embedded", "llama-swap")) == "llama-swap"
        else "embedded",
        llama_server_bin=fields.read("llama_server_bin", lambda text: _program(text, base)),
        server=read_server(fields, base),
        capture_buffer=_or(fields.read("capture_buffer", _megabytes), default.capture_buffer),
        ollama=_or(fields.read("ollama", _ollama), default.ollama),
        context=read_context(fields),
        tls_cert_file=_or(fields.read("tls_cert_file", lambda text: local_path(text, base)), ""),
        tls_key_file=_or(fields.read("tls_key_file", lambda text: local_path(text, base)), ""),
        allowed_hosts=_or(fields.read("allowed_hosts", parse_hosts), ()),
        allowed_origins=_or(fields.read("allowed_origins", parse_origins), ()),
    )


def ports_fault(settings: Settings, models: int) -> str:
    """What is wrong with the ports of the daemon and its models, or an empty string."""
    router, engine, first = settings.router_port, settings.engine_port, settings.start_port
    last = first + models - 1
    if router == engine:
        return f"the gateway and the engine both get port {router}"
    if last > MAX_PORT:
        return f"{models} models from start_port {first} on need ports up to {last}"
    for name, port in (("router_port", router), ("engine_port", engine)):
        if first <= port <= last:
            return f"the models get ports {first} to {last}, and {name} is {port}"
    return ""


def check_ports(fields: Fields, settings: Settings, models: int) -> None:
    """Record a clash of ports at the key that is written in the file."""
    if fault := ports_fault(settings, models):
        keys = ("start_port", "engine_port", "router_port")
        fields.error(next((key for key in keys if fields.has(key)), keys[0]), fault, PORTS_FIX)


def read_routing(fields: Fields) -> Routing:
    """The numbers and word lists of routing."""
    default = Routing()
    routing = Routing(
        high_fidelity_ceiling=_or(
            fields.read("high_fidelity_ceiling", parse_tokens), default.high_fidelity_ceiling
        ),
        mid_fidelity_ceiling=_or(
            fields.read("mid_fidelity_ceiling", parse_tokens), default.mid_fidelity_ceiling
        ),
        multi_turn=_or(fields.read("multi_turn", parse_turns), default.multi_turn),
        plan_signal_words=fields.words("plan_signal_words"),
        agent_signal_words=fields.words("agent_signal_words"),
        ultra_triggers=fields.words("ultra_triggers"),
        uncensored_triggers=fields.words("uncensored_triggers"),
        sticky=_or(fields.read("sticky", parse_bool), default.sticky),
        switch_cost_limit=_or(
            fields.read("switch_cost_limit", parse_seconds), default.switch_cost_limit
        ),
    )
    if fault := ceilings_fault(routing):
        key = "high_fidelity_ceiling"
        fields.error(key if fields.has(key) else "mid_fidelity_ceiling", fault, CEILINGS_FIX)
    return routing


PORTS_FIX = "Give router_port, engine_port and the models from start_port on different ports."
CEILINGS_FIX = "Write a high_fidelity_ceiling that is not above mid_fidelity_ceiling."


def ceilings_fault(routing: Routing) -> str:
    """What is wrong with the order of the two ceilings, or an empty string."""
    high, mid = routing.high_fidelity_ceiling, routing.mid_fidelity_ceiling
    return f"high_fidelity_ceiling {high} is above mid_fidelity_ceiling {mid}" if high > mid else ""


def parse_host(text: str) -> str:
    """A host name or an address to listen on; brackets around IPv6 are taken off."""
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _HOST.fullmatch(host) is None:
        raise BadValueError(
            f"{shown(text)} is not a host name or address",
            "Write an address such as 127.0.0.1, without a port.",
        )
    return host


def parse_turns(text: str) -> int:
    """A number of user turns, at least one."""
    return parse_int(text, minimum=1)


def _megabytes(text: str) -> int:
    return parse_int(text, minimum=0, maximum=MAX_CAPTURES)


def _ollama(text: str) -> str:
    """``off`` for nowhere, empty for the usual places, else a URL."""
    if text.lower() in ("auto", "on", "true", "yes", "1"):
        return ""
    if text.lower() in ("off", "none", "false", "no", "0"):
        return "off"
    try:
        return parse_url(text)
    except BadValueError as error:
        raise BadValueError(error.what, "Write off, or a URL: http://HOST:11434.") from None


def _program(text: str, base: Path) -> str:
    """A bare name is looked up on PATH later; anything with a folder in it is a path."""
    if not text.startswith("~") and Path(text).name == text:
        return text
    return local_path(text, base)


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
