"""What concerns this machine's memory, disk and processes leaves hosted tiers out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from llmstack.config import Stack, parse_stack
from llmstack.config.matrix import build_matrix
from llmstack.config.render import render_swap
from llmstack.config.workdir import WorkDir
from llmstack.errors import ConfigError, EngineMissing
from llmstack.residency.room import machine_room
from llmstack.residency.tier_sizing import resident_sets
from llmstack.server.doctor.models import GB, needed_bytes
from llmstack.server.fit import Headers, fit_stack
from llmstack.server.plan import plan_stack
from llmstack.server.wanted import served_files, wanted_files

if TYPE_CHECKING:
    from pathlib import Path

HOSTED = "backend = openai\nbase_url = http://x\nmodel_name = m\nctx_size = 8k\n"
LOCAL = "hf_repo = o/r\nhf_file = f.gguf\nsize_gb = 3\n"
MIXED = f"""\
[fast]
role = fast
{HOSTED}
[smart]
role = agent
{LOCAL}
[plan]
role = plan
{LOCAL.replace("f.gguf", "p.gguf")}
[ultra]
role = ultra
fallback = smart
{HOSTED}model_name_next = n
"""


@pytest.fixture
def mixed() -> Stack:
    return parse_stack(MIXED, "models.ini").stack


def test_w2_a_hosted_tier_evicts_nobody(mixed: Stack) -> None:
    """W2, W7: it is no model of the engine, and no set of the matrix waits for it."""
    rendered = yaml.safe_load(render_swap(mixed, llama_server=("llama-server",)))
    assert list(rendered["models"]) == ["smart", "plan"]
    assert "hooks" not in rendered, "a hosted fast tier is not preloaded"
    assert build_matrix(mixed, "current") is None, "no two local ones go together"
    assert resident_sets(mixed, "current") == (("smart",), ("plan",))


def test_memory_disk_and_downloads_are_those_of_local_tiers(mixed: Stack) -> None:
    fit = fit_stack(mixed, "current", machine_room(8 << 30, "it"), Headers(here=False))
    assert [load.tier for load in fit.loads] == ["smart", "plan"]
    assert [total.tiers for total in fit.totals] == [("smart",), ("plan",)]
    assert needed_bytes(mixed, "current") == 3 * GB
    assert [name for name, _ in served_files(mixed, "current")] == ["smart", "plan"]
    assert {file.file.name for file in wanted_files(mixed)} == {"f.gguf", "p.gguf"}


def project(tmp_path: Path, text: str) -> WorkDir:
    work = WorkDir(tmp_path)
    work.state.mkdir()
    work.models_ini.write_text(text)
    return work


NOWHERE = "[DEFAULT]\nllama_server_bin = /nowhere/llama-server\nengine = llama-swap\n"


def test_w19_a_stack_that_runs_nothing_needs_no_program(tmp_path: Path) -> None:
    """W19: the binary was demanded although unused."""
    work = project(tmp_path, f"{NOWHERE}[a]\n{HOSTED.replace('= m', '= $M')}")
    plan = plan_stack(work, {"M": "model-of-mine", "PATH": ""})
    assert plan.llama_server is None
    assert plan.swap.models == {}
    assert plan.runs == plan.swap
    assert plan.stack.tiers[0].hosted is not None
    assert plan.stack.tiers[0].hosted.model == "model-of-mine"


def test_one_tier_that_runs_here_needs_the_program(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    work = project(tmp_path, f"{NOWHERE}[a]\n{HOSTED}[b]\npath = {tmp_path}/m.gguf\n")
    with pytest.raises(EngineMissing):
        plan_stack(work, {"PATH": ""})


def test_ports_are_those_of_local_tiers() -> None:
    """Hosted tiers listen nowhere."""
    settings = "[DEFAULT]\nstart_port = 10100\nrouter_port = 10101\n"
    parse_stack(f"{settings}[a]\n{HOSTED}[b]\n{LOCAL}", "models.ini")
    with pytest.raises(ConfigError, match="10101"):
        parse_stack(f"{settings}[a]\n{LOCAL}[b]\n{LOCAL}", "models.ini")
