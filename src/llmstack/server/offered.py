"""The stack of a project as an agent is to see it, with the windows that are really served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.environment import apply_environment
from llmstack.config.local_key import read_local_key
from llmstack.config.own_ini import own_models_ini
from llmstack.config.stack_loader import load_stack, parse_stack
from llmstack.server.doorways import key_ring
from llmstack.server.project import KEY_VARIABLE, fetch, gateway_url
from llmstack.server.record import living_daemon
from llmstack.server.served import served_windows
from llmstack.wiring.offer import endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.marker import Marker
    from llmstack.config.workdir import WorkDir
    from llmstack.wiring.endpoint import Endpoint


def project_endpoint(work: WorkDir, marker: Marker, environ: Mapping[str, str]) -> Endpoint:
    """What clients of the project's stack have to know.

    Raises:
        DaemonError: there is no models.ini, or the other machine does not send its own.
        ConfigError: the models.ini is wrong.
    """
    key = environ.get(KEY_VARIABLE, "")
    if marker.channel == "external":
        stack = parse_stack(fetch(marker.url, environ), f"{marker.url}/models.ini").stack
        served = dict(served_windows(marker.url, key))
        return endpoint(stack, marker.url, served, needs_key=bool(key))
    stack = apply_environment(load_stack(own_models_ini(work, environ)).stack, environ)
    daemon = living_daemon(work)
    key = read_local_key(work)
    served = dict(served_windows(daemon.engine, key)) if daemon else {}
    base = daemon.gateway if daemon else gateway_url(stack.settings)
    needs = key_ring(work, stack.settings, environ).required
    return endpoint(stack, base, served, needs_key=needs, key_file=str(work.local_key))
