"""What the GPU tools print is read, and what they do not know stays unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.hub.gpu import NVIDIA, ROCM, Gpu, GpuProbe, parse_nvidia, parse_rocm, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1024 * 1024

TWO_NVIDIA = """\
1, NVIDIA GeForce RTX 3090, GPU-b1, 40, N/A, 0, 12, 24576, 0, 21.33, 350.00, 550.54.14
0, NVIDIA H100 80GB HBM3, GPU-a0, 35, 44, 97, 71213, 81559, [N/A], 402.10, 700.00, 550.54.14
"""
UNIFIED = """\
0, NVIDIA GB10, GPU-c2, 45, N/A, 12, [N/A], [N/A], [N/A], 14.20, [N/A], 580.95.05
"""
ROCM_6 = """\
WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status

{"card0": {"Device Name": "Navi 31 [Radeon RX 7900 XTX]", "Unique ID": "0x9c2f",
"Temperature (Sensor edge) (C)": "38.0", "Temperature (Sensor junction) (C)": "41.0",
"Temperature (Sensor memory) (C)": "52.0", "Fan speed (%)": "0", "GPU use (%)": "7",
"Average Graphics Package Power (W)": "24.0", "Max Graphics Package Power (W)": "327.0",
"VRAM Total Memory (B)": "25753026560", "VRAM Total Used Memory (B)": "12876513280",
"Card Series": "Radeon RX 7900 XTX", "Card Model": "0x744c"},
"system": {"Driver version": "6.8.0"}}
"""
ROCM_MI = json.dumps(
    {
        "card1": {
            "Temperature (Sensor edge) (C)": "N/A",
            "Temperature (Sensor junction) (C)": "44.0",
            "GPU use (%)": "99",
            "Current Socket Graphics Package Power (W)": "551.0",
            "Unique ID": "N/A",
        }
    }
)


def test_nvidia() -> None:
    first, second = parse_nvidia(TWO_NVIDIA)
    assert first == Gpu(
        id=0,
        name="NVIDIA H100 80GB HBM3",
        vendor="NVIDIA",
        uuid="GPU-a0",
        temperature=35,
        vram_temperature=44,
        utilization=97,
        memory_used=71213 * MIB,
        memory_total=81559 * MIB,
        fan=None,
        power=402.10,
        power_limit=700,
        driver="550.54.14",
    )
    assert (second.id, second.vram_temperature, second.fan) == (1, None, 0)
    assert first.memory_percent == pytest.approx(87.3, abs=0.1)


def test_nvidia_with_unified_memory() -> None:
    (gpu,) = parse_nvidia(UNIFIED)
    assert (gpu.memory_used, gpu.memory_total, gpu.memory_percent) == (None, None, None)


@pytest.mark.parametrize("text", ["", "No devices were found\n", "0, x\n", "a" * 100])
def test_nvidia_without_gpus(text: str) -> None:
    assert parse_nvidia(text) == []


def test_rocm() -> None:
    assert parse_rocm(ROCM_6) == [
        Gpu(
            id=0,
            name="Radeon RX 7900 XTX",
            vendor="AMD",
            uuid="0x9c2f",
            temperature=38,
            vram_temperature=52,
            utilization=7,
            memory_used=12876513280,
            memory_total=25753026560,
            fan=0,
            power=24,
            power_limit=327,
            driver="6.8.0",
        )
    ]
    (gpu,) = parse_rocm(ROCM_MI)
    assert (gpu.id, gpu.name, gpu.uuid, gpu.temperature, gpu.power) == (1, "card1", "", 44, 551)


@given(st.text())
def test_any_output_is_read(text: str) -> None:
    parse_nvidia(text)
    try:
        parse_rocm(text)
    except ValueError:
        return


class Machine:
    """Commands and what they print; an exception is raised."""

    def __init__(self, **tools: str | Exception) -> None:
        self.tools = {name.replace("_", "-"): said for name, said in tools.items()}
        self.asked: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str]) -> str:
        self.asked.append(argv)
        said = self.tools.get(argv[0], FileNotFoundError(argv[0]))
        if isinstance(said, Exception):
            raise said
        return said


def test_tools_that_are_missing_are_not_asked_again() -> None:
    machine = Machine()
    probe = GpuProbe(machine)
    assert probe() == probe() == []
    assert machine.asked == [NVIDIA, ROCM]


def test_the_tool_that_knows_a_gpu_answers() -> None:
    machine = Machine(nvidia_smi="No devices were found", rocm_smi=ROCM_6)
    assert [gpu.vendor for gpu in GpuProbe(machine)()] == ["AMD"]
    assert [gpu.vendor for gpu in GpuProbe(Machine(nvidia_smi=TWO_NVIDIA))()] == ["NVIDIA"] * 2


@pytest.mark.parametrize(
    "error", [subprocess.TimeoutExpired("x", 1), subprocess.CalledProcessError(9, "x"), OSError()]
)
def test_a_tool_that_fails_is_asked_again_and_complained_about_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(nvidia_smi=error)
    probe = GpuProbe(machine)
    assert probe() == probe() == []
    assert caplog.text.count("nvidia-smi failed") == 1
    machine.tools["nvidia-smi"] = UNIFIED
    assert [gpu.name for gpu in probe()] == ["NVIDIA GB10"]


def test_commands_run_without_a_shell() -> None:
    assert run_command((sys.executable, "-c", "print('$HOME')")).strip() == "$HOME"
    with pytest.raises(subprocess.SubprocessError):
        run_command((sys.executable, "-c", "raise SystemExit(3)"))
