"""``use: memory`` with real processes that take real memory."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.cli.swaps import Swap, swapping
from tests.engine.fake_model_server import command as fake
from tests.server.conftest import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

MIB = 1 << 20
GIB = 1 << 30


def configuration(settings: str, **models: str) -> str:
    """``models`` maps names to the flags of the fake server, or to a line of YAML after ``|``."""
    lines = ["models:"]
    for (name, flags), port in zip(models.items(), free_ports(len(models)), strict=True):
        words, _, more = flags.partition("|")
        lines += [f"  {name}:", f"    cmd: {json.dumps(fake(*words.split(), port=port))}"]
        lines += [f"    proxy: http://127.0.0.1:{port}"]
        lines += [f"    {more}"] if more else []
    router = f"{{use: memory, settings: {{memory: {{{settings}}}}}}}"
    queue = "{settings: {fifo: {minResidency: 0}}}"
    lines.append(f"routing: {{router: {router}, scheduler: {queue}}}")
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is learned is kept here."""
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def models(swap: Swap) -> dict[str, Any]:
    status, answer = swap.ask("/api/models")
    assert status == 200
    return {row["id"]: row for row in answer["models"]}


def loaded(swap: Swap) -> set[str]:
    return {name for name, row in models(swap).items() if row["state"] == "ready"}


def use(swap: Swap, *names: str) -> None:
    for name in names:
        status, answer = swap.chat(name)
        assert status == 200, answer


def measured(swap: Swap, name: str) -> int:
    """Wait until the model was measured; its bytes."""
    swap.until(
        lambda: models(swap)[name]["footprint"]["source"] == "measured",
        lambda: f"{name} was never measured: {models(swap)[name]}",
    )
    return int(models(swap)[name]["footprint"]["size"])


def test_memory_forces_an_eviction_and_what_was_learned_is_kept_over_a_restart(
    tmp_path: Path, data: Path
) -> None:
    text = configuration("budget: 400MiB", a="--hold 100", b="--hold 150", c="--hold 200")
    with swapping(tmp_path, text) as swap:
        swap.said("a runs alone until it was measured")
        use(swap, "a")
        assert 100 * MIB < measured(swap, "a") < 150 * MIB
        use(swap, "b")
        assert loaded(swap) == {"b"}, "b was unknown, so it ran alone"
        measured(swap, "b")
        use(swap, "a")
        assert loaded(swap) == {"a", "b"}
        use(swap, "c")
        measured(swap, "c")
        assert models(swap)["c"]["memory"] > 200 * MIB
        swap.until(
            lambda: len(json.loads((data / "footprints.json").read_text())["footprints"]) == 3,
            lambda: "not kept",
        )
    with swapping(tmp_path, text) as swap:
        swap.said("(measured)", times=3)
        use(swap, "a", "b")
        assert loaded(swap) == {"a", "b"}, "both fit, as was learned before the restart"
        use(swap, "c")
        assert "c" in loaded(swap)
        assert len(loaded(swap)) < 3


def test_a_pinned_model_stays_and_what_cannot_fit_beside_it_is_told(tmp_path: Path) -> None:
    text = configuration(
        "budget: 400MiB, pinned: [p]",
        p="|memory: 200MiB",
        a="|memory: 150MiB",
        b="|memory: 150MiB",
        big="|memory: 300MiB",
    )
    with swapping(tmp_path, text) as swap:
        use(swap, "p", "a", "b")
        assert loaded(swap) == {"p", "b"}
        status, answer = swap.chat("big")
        assert status == 503
        assert "big does not fit into memory" in json.dumps(answer)
        assert loaded(swap) == {"p", "b"}
        footprint = {"size": 200 * MIB, "source": "declared", "pinned": True}
        assert models(swap)["p"]["footprint"] == footprint


def test_a_damaged_file_of_measurements_is_a_warning(tmp_path: Path, data: Path) -> None:
    data.mkdir()
    (data / "footprints.json").write_text("{")
    with swapping(tmp_path, configuration("budget: 400MiB", a="--hold 10")) as swap:
        use(swap, "a")
        measured(swap, "a")
        swap.said("is damaged, so memory is measured afresh")
        swap.until(
            lambda: len((data / "footprints.json").read_text()) > 5, lambda: "not written again"
        )


def test_starts_at_the_same_time_never_exceed_the_budget(tmp_path: Path) -> None:
    """Four models of 120 MiB at once where two fit; the processes are looked at all along."""
    model = "--hold 100|memory: 120MiB"
    text = configuration("budget: 300MiB", a=model, b=model, c=model, d=model)
    with swapping(tmp_path, text) as swap:
        answers: list[int] = []

        def ask(name: str) -> None:
            answers.extend(swap.chat(name)[0] for _ in range(3))

        clients = [threading.Thread(target=ask, args=(name,)) for name in "abcd" * 2]
        for client in clients:
            client.start()
        most = together = 0
        while any(client.is_alive() for client in clients):
            held = [size for size in map(resident, swap.processes()) if size > 90 * MIB]
            most, together = max(most, sum(held)), max(together, len(held))
        assert answers == [200] * 24
        assert 1 <= together <= 2
        assert most < 300 * MIB


def resident(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        if "fake_model_server.py" in " ".join(process.cmdline()):
            return int(process.memory_info().rss)
    return 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP")
def test_a_reload_may_change_to_groups_and_back(tmp_path: Path) -> None:
    by_memory = configuration("budget: 400MiB", a="|memory: 100MiB", b="|memory: 100MiB")
    with swapping(tmp_path, by_memory) as swap:
        use(swap, "a", "b")
        assert loaded(swap) == {"a", "b"}
        (tmp_path / "config.yaml").write_text(by_memory.replace("use: memory", "use: group"))
        swap.process.send_signal(signal.SIGHUP)
        swap.said("configuration reloaded")
        use(swap, "b")
        assert loaded(swap) == {"b"}
        assert models(swap)["a"]["footprint"] is None
        (tmp_path / "config.yaml").write_text(by_memory)
        swap.process.send_signal(signal.SIGHUP)
        swap.said("configuration reloaded", times=2)
        use(swap, "a")
        assert loaded(swap) == {"a", "b"}


EXPLAINED = """\
models:
  small: {cmd: "llama-server -m ${env.TINY} -c 4096 --port ${PORT}", memory: 2GiB}
  big: {cmd: "x ${PORT}", memory: 4GiB}
  pin: {cmd: "x ${PORT}", memory: 1GiB}
routing: {router: {use: memory, settings: {memory: {budget: 6GiB, pinned: [pin]}}}}
"""
TINY = "tests/models/tiny_chat/tiny-chat.gguf"


@pytest.fixture
def explain(
    tmp_path: Path, command: Callable[..., Outcome], pytestconfig: pytest.Config
) -> Callable[..., str]:
    """The answer to ``-explain small`` while big and pin run."""
    (tmp_path / "c.yaml").write_text(EXPLAINED)

    def ask(*more: str) -> str:
        flags = ("-config", "c.yaml", "-explain", "small", "-running", "big,pin", *more)
        outcome = command("swap", *flags, TINY=str(pytestconfig.rootpath / TINY))
        assert outcome.status == 0, outcome.err
        return outcome.out

    return ask


def test_explain_shows_the_sum(explain: Callable[..., str]) -> None:
    lines = [" ".join(line.split()) for line in explain().splitlines()]
    assert lines[:6] == [
        "evicted for small: big",
        "because: big stops: of what makes room for small that is the least loss.",
        "budget 6.0 GiB",
        "big 4.0 GiB declared evicted",
        "pin 1.0 GiB declared pinned",
        "freed 4.0 GiB",
    ]
    assert lines[6].startswith("needed by small 2.0 GiB declared estimate: weights 2 MiB, cache")
    assert lines[7:] == ["left 3.0 GiB"]


def test_explain_answers_in_json(explain: Callable[..., str]) -> None:
    answer = json.loads(explain("-json"))
    assert (answer["model"], answer["evict"]) == ("small", ["big"])
    memory = answer["memory"]
    sums = [memory[key] // GIB for key in ("budget", "taken", "freed", "needed", "left")]
    assert sums == [6, 5, 4, 2, 3]
    assert memory["model"]["estimate"]["context"] == 4096
    assert [row["model"] for row in memory["running"]] == ["big", "pin"]


def test_explain_counts_what_it_costs_to_load_again_and_not_how_many_go(
    explain: Callable[..., str], tmp_path: Path
) -> None:
    """Two of 1 GiB are loaded again sooner than one of 4 GiB."""
    more = (
        "  s1: {cmd: 'x ${PORT}', memory: 1GiB}\n  s2: {cmd: 'x ${PORT}', memory: 1GiB}\nrouting:"
    )
    (tmp_path / "c.yaml").write_text(EXPLAINED.replace("routing:", more))
    assert json.loads(explain("-json", "-running", "big,s1,s2"))["evict"] == ["s1", "s2"]
