"""What is measured: the upstream itself, nginx in front of it, llmstack and its swap engine."""

import http.client
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .bodies import chat_body
from .build import compile_program
from .processes import running

CHAT_PATH = "/v1/chat/completions"
START_SECONDS = 30
# One name per tier, so that whatever "auto" decides is loaded, and no swap is measured.
MODELS = ("code-fast", "code-smart", "code-ultra", "plan", "plan-uncensored")

NGINX_CONFIG = """\
{user}daemon off;
worker_processes 1;
pid {workdir}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {workdir}/nginx-body;
    proxy_temp_path {workdir}/nginx-proxy;
    fastcgi_temp_path {workdir}/nginx-fastcgi;
    uwsgi_temp_path {workdir}/nginx-uwsgi;
    scgi_temp_path {workdir}/nginx-scgi;
    client_max_body_size 0;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream model {{
        server 127.0.0.1:{upstream};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            client_body_buffer_size 2m;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""

MODEL_CONFIG = """\
  {name}:
    cmd: sleep 1000000
    proxy: http://127.0.0.1:{upstream}
    checkEndpoint: /health
    concurrencyLimit: 1000
"""


class TargetError(Exception):
    """A target could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers chat requests on a loopback port."""

    name: str
    port: int
    process: psutil.Process | None  # root of the proxy's processes; None where there is no proxy


def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", CHAT_PATH, chat_body(1000, stream=False), headers)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _await_answer(name: str, port: int, process: subprocess.Popen[str], log: Path) -> Target:
    """Return the target once it answers a chat request.

    Raises:
        TargetError: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return Target(name, port, psutil.Process(process.pid))
        time.sleep(0.05)
    what = f"did not answer within {START_SECONDS} s"
    if process.poll() is not None:
        what = f"ended with status {process.returncode}"
    last = " ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
    raise TargetError(f"{what}: {last or 'no output'}")


@contextmanager
def upstream(workdir: Path) -> Iterator[int]:
    """Run the stand-in model server; the value is its port."""
    log = workdir / "upstream.log"
    with running([str(compile_program("upstream")), "0"], log, proxy=False) as process:
        while process.poll() is None and not log.read_text().endswith("\n"):
            time.sleep(0.01)
        words = log.read_text().split()
        if len(words) != 2 or words[0] != "PORT":
            raise TargetError(f"the upstream did not start: {' '.join(words)}")
        yield int(words[1])


@contextmanager
def direct_target(workdir: Path, upstream_port: int) -> Iterator[Target]:
    """Use no proxy at all: what the load generator and the upstream can do."""
    del workdir
    yield Target("direct", upstream_port, None)


@contextmanager
def nginx_target(workdir: Path, upstream_port: int) -> Iterator[Target]:
    """Run nginx with one worker: no log, no parsing; bodies wait in memory, answers stream."""
    program = shutil.which("nginx")
    if program is None:
        raise TargetError("nginx is not on PATH")
    port = free_port()
    root = os.geteuid() == 0  # as root, nginx would give its worker to a user without access here
    user = f"user {pwd.getpwuid(0).pw_name};\n" if root else ""
    config = workdir / "nginx.conf"
    config.write_text(
        NGINX_CONFIG.format(user=user, workdir=workdir, upstream=upstream_port, port=port)
    )
    log = workdir / "nginx.log"
    command = [program, "-p", str(workdir), "-c", str(config), "-e", str(workdir / "nginx.err")]
    with running(command, log, proxy=True) as process:
        yield _await_answer("nginx", port, process, log)


def _models(upstream_port: int) -> str:
    """The models of a configuration: every one is a `sleep` whose proxy is the upstream."""
    return "models:\n" + "".join(
        MODEL_CONFIG.format(name=name, upstream=upstream_port) for name in MODELS
    )


@contextmanager
def llmstack_target(workdir: Path, upstream_port: int) -> Iterator[Target]:
    """Run the real gateway and engine."""
    port = free_port()
    names = ", ".join(MODELS)
    config = workdir / "llama-swap.yaml"
    config.write_text(
        _models(upstream_port)
        + f"groups:\n  bench:\n    swap: false\n    exclusive: false\n    members: [{names}]\n"
    )
    log = workdir / "llmstack.log"
    command = [sys.executable, "-m", "benchmarks.relay.gateway", str(config), str(port)]
    with running(command, log, proxy=True) as process:
        yield _await_answer("llmstack", port, process, log)


@contextmanager
def swap_target(workdir: Path, upstream_port: int) -> Iterator[Target]:
    """Run `llmstack swap`, which records every request; "auto" is an alias of its first model."""
    port = free_port()
    config = workdir / "swap.yaml"
    aliases = '    aliases: ["auto"]\n'
    config.write_text(_models(upstream_port).replace(f"  {MODELS[1]}:", f"{aliases}  {MODELS[1]}:"))
    log = workdir / "swap.log"
    command = [sys.executable, "-m", "llmstack", "swap", "--config", str(config)]
    with running([*command, "--listen", f"127.0.0.1:{port}"], log, proxy=True) as process:
        yield _await_answer("swap", port, process, log)


TARGETS: dict[str, Callable[[Path, int], AbstractContextManager[Target]]] = {
    "direct": direct_target,
    "nginx": nginx_target,
    "llmstack": llmstack_target,
    "swap": swap_target,
}
