"""llmstack fit, init --profile and check --catalogue, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.workdir import WorkDir
from llmstack.hub.remote_gguf import CHUNK
from tests.hub.gguf_file import header
from tests.hub.hub_server import Hub, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Outcome

MIB = 1 << 20
TINY = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"

ENTRIES: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.context_length": 4096,
    "llama.embedding_length": 256,
    "llama.feed_forward_length": 512,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 4,
}
TENSORS = {"blk.0.a.weight": 3 * MIB, "blk.1.a.weight": 5 * MIB}
#: The header of this one is longer than what is fetched at a time.
LONG = {**ENTRIES, "general.description": "x" * 5 * MIB}

INI = """[a]
role = fast
hf_repo = o/r
hf_file = small.gguf
ctx_size = 4096
[b]
role = agent
hf_repo = o/r
hf_file = long.gguf
ctx_size = 4096
"""
#: KV of each: 2 layers, 4096 cells, 4 heads, keys and values of 64 at q8_0.
CACHE = int(2 * 4096 * 4 * 128 * 34 / 32)


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {"o/r/small.gguf": header(ENTRIES, TENSORS), "o/r/long.gguf": header(LONG, TENSORS)}
    with running(Hub(files)) as served:
        yield served


@pytest.fixture
def environ(hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_TOKEN": "",
        "HF_HUB_OFFLINE": "0",
    }


@pytest.fixture
def project(tmp_path: Path) -> WorkDir:
    work = WorkDir(tmp_path)
    work.state.mkdir()
    work.models_ini.write_text(INI)
    return work


def report(outcome: Outcome) -> dict[str, Any]:
    found = json.loads(outcome.out)
    assert isinstance(found, dict)
    return found


def test_the_header_of_a_model_that_is_not_here_comes_from_the_hub(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    """Only its first megabytes: the second part of a long header begins where the first ended."""
    outcome = command("fit", "--json", "--profile", "8gb", **environ)
    assert outcome.status == 0, outcome.err
    found = report(outcome)
    assert [tier["source"] for tier in found["tiers"]] == ["hub", "hub"]
    for tier in found["tiers"]:
        assert tier["parts"]["weights"] == 8 * MIB
        assert tier["parts"]["cache"] == CACHE
    assert ("o/r/long.gguf", CHUNK) in hub.ranges
    assert [start for name, start in hub.ranges if name == "o/r/small.gguf"] == [0]
    assert [row["tiers"] for row in found["together"]] == [["a", "b"]]
    assert found["fits"] is True


def test_offline_it_asks_nobody(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    """By the option and by HF_HUB_OFFLINE; sizes that nobody knows are no failure."""
    for arguments, more in ((("--offline",), {}), ((), {"HF_HUB_OFFLINE": "1"})):
        outcome = command("fit", "--json", *arguments, **{**environ, **more})
        assert outcome.status == 0
        assert [tier["source"] for tier in report(outcome)["tiers"]] == ["unknown"] * 2
    assert hub.ranges == []
    text = command("fit", "--offline", **environ).out
    assert "as far as is known: a, b has no estimate" in text


def test_a_file_in_the_hubs_cache_is_read_there(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    assert command("download", **environ).status == 0
    hub.ranges.clear()
    found = report(command("fit", "--json", **environ))
    assert [tier["source"] for tier in found["tiers"]] == ["file", "file"]
    assert hub.ranges == []


def test_a_hub_that_does_not_have_it_leaves_size_gb(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str]
) -> None:
    """What is wrong is told beside the table."""
    project.models_ini.write_text("[a]\nhf_repo = o/gone\nhf_file = x.gguf\nsize_gb = 2\n")
    outcome = command("fit", **environ)
    assert outcome.status == 0
    assert "size_gb, no KV known" in outcome.out
    assert "a: the hub has no repository o/gone" in outcome.err


def test_a_file_that_is_no_model_is_told(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    hub.files["o/r/small.gguf"] = b"<html>" * 1000
    outcome = command("fit", **environ)
    assert outcome.status == 0
    assert "not a usable GGUF file" in outcome.err


def test_a_stack_that_does_not_fit_fails_and_says_what_would_do(
    command: Callable[..., Outcome], project: WorkDir
) -> None:
    project.models_ini.write_text(f"[a]\npath = {TINY}\nctx_size = 131072\n")
    assert command("fit", "--profile", "8gb").status == 0
    project.models_ini.write_text(
        "[a]\nhf_repo = unsloth/Qwen3-Coder-Next-GGUF\nhf_file = Qwen3-Coder-Next-Q4_K_M.gguf\n"
        "ctx_size = 1M\ncache_type_k = f16\ncache_type_v = f16\n"
    )
    outcome = command("fit", "--offline", "--profile", "64gb")
    assert outcome.status == 1
    assert "too much" in outcome.out
    assert "[a] ctx_size = 131072" in outcome.out
    found = report(command("fit", "--offline", "--json", "--profile", "64gb"))
    assert found["fits"] is False
    assert found["together"][0]["left"] < 0
    assert found["changes"]


def test_colours_and_lines_are_for_a_terminal_only(
    command: Callable[..., Outcome], project: WorkDir
) -> None:
    """Elsewhere it is plain text; NO_COLOR keeps the lines and drops the colours."""
    plain = command("fit", "--offline").out
    assert "┃" not in plain
    assert "\x1b" not in plain
    drawn = command("fit", "--offline", FORCE_COLOR="1", TERM="xterm", COLUMNS="120").out
    assert "┃" in drawn
    assert "\x1b[" in drawn
    grey = command("fit", "--offline", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").out
    assert "┃" in grey
    assert "\x1b[32m" not in grey


def test_a_profile_is_written_with_its_arithmetic(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Printed and kept; what was written fits where it was written for, says fit."""
    outcome = command("init", "--profile", "16gb")
    assert outcome.status == 0
    ini = (tmp_path / ".llmstack" / "models.ini").read_text()
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("code-fast +"))
    assert f"; {line}" in ini.splitlines()
    assert command("fit", "--offline", "--profile", "16gb").status == 0
    assert command("fit", "--offline", "--profile", "8gb").status == 1


def test_a_file_that_is_there_is_not_quietly_kept_in_place_of_the_profile(
    command: Callable[..., Outcome], project: WorkDir
) -> None:
    outcome = command("init", "--profile", "16gb")
    assert outcome.status == 1
    assert "--force" in outcome.err
    assert project.models_ini.read_text() == INI
    assert command("init", "--profile", "16gb", "--force").status == 0
    assert project.models_ini.with_name("models.ini.bak").read_text() == INI


def test_install_takes_a_profile_too(command: Callable[..., Outcome], tmp_path: Path) -> None:
    assert command("install", "--profile", "8gb").status == 0
    opencode = json.loads((tmp_path / ".llmstack" / "opencode.json").read_text())
    (provider,) = opencode["provider"].values()
    models = provider["models"]
    assert models["code-smart"]["limit"]["context"] == 32768


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init", "--profile", "64tb"), "is no profile"),
        (("init", "--profile", "1gb"), "no model fits"),
        (("init", "--profile", "8gb", "--external", "http://127.0.0.1:1"), "Drop --profile"),
        (("fit",), "llmstack setup"),
    ],
)
def test_what_cannot_be_is_an_error_with_a_fix(
    command: Callable[..., Outcome], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    outcome = command(*arguments)
    assert outcome.status == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / ".llmstack" / "models.ini").exists()


def test_the_catalogue_is_checked_against_the_hub(
    command: Callable[..., Outcome], environ: dict[str, str], hub: Hub
) -> None:
    """Everywhere, without a project; a model that is gone fails only where it is to be strict."""
    hub.files["ggml-org/gpt-oss-20b-GGUF/gpt-oss-20b-MXFP4.gguf"] = b"small"
    outcome = command("check", "--catalogue", "--json", **environ)
    assert outcome.status == 0
    rows = {row["file"]: row["problem"] for row in json.loads(outcome.out)}
    assert len(rows) > 12
    other = rows.pop("ggml-org/gpt-oss-20b-GGUF/gpt-oss-20b-MXFP4.gguf")
    assert other == "the catalogue says 12109566624 bytes"
    assert all("no repository" in why or "has no file" in why for why in rows.values())
    assert command("check", "--catalogue", "--strict", **environ).status == 1
