"""Real coding agents: how they are had, and a session of theirs without a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.hub.file_lock import locked
from tests.e2e.conftest import CACHE, REPOSITORY
from tests.e2e.loopback_only import wrap
from tests.e2e.stack import assert_nothing_left, models_ini

if TYPE_CHECKING:
    from pathlib import Path

#: A proxy that refuses every connection, for machines without network namespaces.
NOWHERE = "http://127.0.0.1:9"


def npm_program(name: str, package: str, version: str, program: str) -> str:
    """The path of a program from npm; installed once, below ``CACHE``/``name``."""
    with locked(CACHE / f".{name}.lock"):  # tests run side by side
        return _npm_program(CACHE / name, package, version, program)


def _npm_program(home: Path, package: str, version: str, program: str) -> str:
    path = home / "node_modules" / ".bin" / program
    manifest = home / "node_modules" / package / "package.json"
    if path.exists() and json.loads(manifest.read_text("utf-8"))["version"] == version:
        return str(path)
    npm = shutil.which("npm")
    if npm is None:
        # Where the whole suite must run, a missing npm is a mistake and no reason to pass.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("npm is not installed")
    home.mkdir(parents=True, exist_ok=True)
    install = [npm, "install", f"{package}@{version}", "--prefix", str(home)]
    _done([*install, "--no-audit", "--no-fund"])
    return str(path)


def pip_program(name: str, requirement: str, program: str) -> str:
    """The path of a program from the package index; in an environment of its own, made once."""
    with locked(CACHE / f".{name}.lock"):
        home = CACHE / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
        return _pip_program(home, requirement, program)


def _pip_program(home: Path, requirement: str, program: str) -> str:
    path = home / "bin" / program
    complete = home / "installed"
    if complete.exists() and complete.read_text("utf-8") == requirement:
        return str(path)
    _done([sys.executable, "-m", "venv", "--clear", str(home)])
    _done([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement])
    complete.write_text(requirement, "utf-8")
    return str(path)


def _done(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tiny_stack(model: Path, *roles: str) -> str:
    """A models.ini whose tiers are the tiny chat model: a fast one, an agent, and ``roles``."""
    settings = {"path": str(model), "size_gb": "0.1", "sampler": "temp=0"}
    settings |= {"ctx_size": "32768", "max_output_tokens": "512"}
    tiers = {"code-fast": "fast", "code-smart": "agent", **{role: role for role in roles}}
    return models_ini({name: {"role": role, **settings} for name, role in tiers.items()})


class Session:
    """Runs ``tests.e2e.agent_session`` with ``wanted`` and keeps its report."""

    def __init__(self, root: Path, ini: str, wanted: dict[str, Any]) -> None:
        self.project = root / "project"
        specification = root / "specification.json"
        base = {"root": str(root), "models_ini": ini, "files": {}, "wiring": [], "environ": {}}
        specification.write_text(json.dumps({**base, **wanted}), "utf-8")
        command = [sys.executable, "-m", "tests.e2e.agent_session", str(specification)]
        isolated = wrap(command)
        environ = dict(os.environ)
        if isolated is None:
            proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
            environ |= dict.fromkeys(proxies, NOWHERE)
        try:
            done = subprocess.run(
                isolated or command,
                capture_output=True,
                text=True,
                cwd=REPOSITORY,
                env=environ,
                timeout=500,
                check=False,
            )
        finally:
            assert_nothing_left(root)
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert isolated is None or report["interfaces"] == ["lo"]
        self.runs: list[dict[str, Any]] = report["runs"]

    def run(self, number: int) -> dict[str, Any]:
        """The report of one run, which must have succeeded."""
        report = self.runs[number]
        assert report["status"] == 0, report
        return report


def answered_by(run: dict[str, Any], path: str = "/v1/chat/completions") -> list[Any]:
    """Model, status and whether ``auto`` chose it, of the requests to ``path`` that were logged."""
    pattern = rf"POST {re.escape(path)}\S* (\S+) (\d+) \S+ms( auto: )?"
    found = [re.search(pattern, line) for line in run["requests"]]
    return [(match[1], match[2], bool(match[3])) for match in found if match]
