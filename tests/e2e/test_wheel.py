"""The wheel that users install, in an environment that holds nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

import llmstack
from tests.e2e.conftest import REPOSITORY
from tests.e2e.stack import assert_nothing_left, environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # builds, installs 40 MB, runs the whole demo


def run(*argv: str | Path, cwd: Path, timeout: float = 300, **environ: str) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(cwd, **environ),
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    out = tmp_path_factory.mktemp("dist")
    isolation = ["--no-isolation"] if find_spec("hatchling") else []
    run(
        *(sys.executable, "-P", "-m", "build", "--wheel", *isolation, "--outdir", out, REPOSITORY),
        cwd=out,
    )
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``llmstack`` command of an environment that holds the wheel and what it requires."""
    home = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", home / "venv", cwd=home)
    scripts = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
    constraints = REPOSITORY / "constraints.txt"
    run(
        *(scripts / "python", "-m", "pip", "install", "--quiet"),
        *("--constraint", constraints, wheel),
        cwd=home,
    )
    return scripts / "llmstack"


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    info = f"llmstack-{llmstack.__version__}.dist-info/"
    assert all(name.startswith(("llmstack/", info)) for name in names)
    data = {name for name in names if name.startswith("llmstack/") and not name.endswith(".py")}
    assert {
        "llmstack/py.typed",
        "llmstack/config/data/models.ini",
        "llmstack/config/data/demo.ini",
        "llmstack/config/data/config-schema.json",
    } <= data
    pages = REPOSITORY / "src" / "llmstack" / "ui"
    shown = {path for path in pages.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}}
    assert {f"llmstack/ui/{path.relative_to(pages).as_posix()}" for path in shown} <= data
    assert not any("/test" in name or name.endswith((".pyc", ".gguf")) for name in names)
    source = REPOSITORY / "src"
    tracked = {str(path.relative_to(source)) for path in source.glob("llmstack/**/*.py")}
    assert {name for name in names if name.endswith(".py")} == tracked
    assert {info + "METADATA", info + "entry_points.txt", info + "licenses/LICENSE"} <= names


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "version", cwd=tmp_path).strip() == f"llmstack {llmstack.__version__}"


def test_the_installed_environment_is_consistent(installed: Path, tmp_path: Path) -> None:
    """Everything that the wheel requires is there, and nothing that only development needs."""
    python = installed.with_name("python")
    run(python, "-m", "pip", "check", cwd=tmp_path)
    frozen = run(python, "-m", "pip", "freeze", cwd=tmp_path).lower()
    assert "xllamacpp==" in frozen
    assert "pytest==" not in frozen


def test_the_installed_demo_runs(installed: Path, data_dir: Path, tmp_path: Path) -> None:
    cwd = tmp_path / "somewhere"
    cwd.mkdir()
    try:
        printed = run(
            *(installed, "demo", "--once", "--port", "0"), cwd=cwd, LLMSTACK_DATA_DIR=str(data_dir)
        )
    finally:
        assert_nothing_left(cwd)
    assert printed.count("auto -> ") == 4
    assert "evicted for" in printed
    assert not list(cwd.iterdir()), "the demo writes nothing where it is called"
