"""GPUs as ``nvidia-smi`` and ``rocm-smi`` report them; facts they do not give are None."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

#: Runs a command and returns what it prints; OSError or SubprocessError when that fails.
Run = Callable[[Sequence[str]], str]

#: Seconds that a tool may take: drivers that hang must not pile up processes.
_PATIENCE = 10

_NVIDIA_FIELDS = (
    "index",
    "name",
    "uuid",
    "temperature.gpu",
    "temperature.memory",
    "utilization.gpu",
    "memory.used",
    "memory.total",
    "fan.speed",
    "power.draw",
    "power.limit",
    "driver_version",
)
NVIDIA = (
    "nvidia-smi",
    f"--query-gpu={','.join(_NVIDIA_FIELDS)}",
    "--format=csv,noheader,nounits",
)
ROCM = (
    "rocm-smi",
    "--showproductname",
    "--showuniqueid",
    "--showtemp",
    "--showuse",
    "--showmeminfo",
    "vram",
    "--showfan",
    "--showpower",
    "--showmaxpower",
    "--showdriverversion",
    "--json",
)
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU now. Temperatures in °C, utilisation and fan in percent, memory in bytes, watts."""

    id: int
    name: str
    vendor: str
    uuid: str = ""
    temperature: float | None = None
    vram_temperature: float | None = None
    utilization: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    fan: float | None = None
    power: float | None = None
    power_limit: float | None = None
    driver: str | None = None

    @property
    def memory_percent(self) -> float | None:
        """How full the memory is."""
        if self.memory_used is None or not self.memory_total:
            return None
        return self.memory_used / self.memory_total * 100


class GpuProbe:
    """Asks the first tool that this machine has. One that is missing is not asked again."""

    def __init__(self, run: Run | None = None) -> None:
        self._run = run or run_command
        self._tools = [(NVIDIA, parse_nvidia), (ROCM, parse_rocm)]
        self._warned = False

    def __call__(self) -> list[Gpu]:
        """The GPUs by id; none when there is no tool or it fails."""
        for tool in tuple(self._tools):
            command, parse = tool
            try:
                found = parse(self._run(command))
            except FileNotFoundError:
                self._tools.remove(tool)
                continue
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                if not self._warned:
                    log.warning("%s failed: %s", command[0], error)
                    self._warned = True
                continue
            if found:
                return found
        return []


def run_command(argv: Sequence[str]) -> str:
    """Run a command without a shell and return what it prints.

    Raises:
        OSError: it cannot be started.
        subprocess.SubprocessError: it fails or takes too long.
    """
    done = subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_PATIENCE,
        check=True,
    )
    return done.stdout.decode("utf-8", "replace")


def parse_nvidia(text: str) -> list[Gpu]:
    """Read what the ``NVIDIA`` command prints. Lines that are none of its are passed over."""
    gpus: list[Gpu] = []
    for line in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(line) != len(_NVIDIA_FIELDS) or not line[0].strip().isdigit():
            continue
        cell = dict(zip(_NVIDIA_FIELDS, (part.strip() for part in line), strict=True))
        used, total = _number(cell["memory.used"]), _number(cell["memory.total"])
        gpus.append(
            Gpu(
                id=int(cell["index"]),
                name=cell["name"],
                vendor="NVIDIA",
                uuid=cell["uuid"],
                temperature=_number(cell["temperature.gpu"]),
                vram_temperature=_number(cell["temperature.memory"]),
                utilization=_number(cell["utilization.gpu"]),
                memory_used=None if used is None else int(used * _MIB),
                memory_total=None if total is None else int(total * _MIB),
                fan=_number(cell["fan.speed"]),
                power=_number(cell["power.draw"]),
                power_limit=_number(cell["power.limit"]),
                driver=cell["driver_version"] or None,
            )
        )
    return sorted(gpus, key=lambda gpu: gpu.id)


def parse_rocm(text: str) -> list[Gpu]:
    """Read what the ``ROCM`` command prints; its versions name the same things differently.

    Raises:
        ValueError: it is no JSON.
    """
    # Warnings come before the JSON on some versions.
    cards = json.loads(text[max(text.find("{"), 0) :])
    if not isinstance(cards, dict):
        return []
    system = _lower(cards.get("system"))
    gpus: list[Gpu] = []
    for name, card in cards.items():
        if not (name.startswith("card") and name[4:].isdigit()):
            continue
        facts = _lower(card)
        used = _number(facts.get("vram total used memory (b)"))
        total = _number(facts.get("vram total memory (b)"))
        gpus.append(
            Gpu(
                id=int(name[4:]),
                name=_text(facts, "card series", "device name", "card model") or name,
                vendor="AMD",
                uuid=_text(facts, "unique id") or "",
                temperature=_first(
                    facts,
                    "temperature (sensor edge) (c)",
                    "temperature (sensor junction) (c)",
                ),
                vram_temperature=_first(facts, "temperature (sensor memory) (c)"),
                utilization=_first(facts, "gpu use (%)"),
                memory_used=None if used is None else int(used),
                memory_total=None if total is None else int(total),
                fan=_first(facts, "fan speed (%)"),
                power=_first(
                    facts,
                    "average graphics package power (w)",
                    "current socket graphics package power (w)",
                ),
                power_limit=_first(facts, "max graphics package power (w)"),
                driver=_text(system, "driver version"),
            )
        )
    return sorted(gpus, key=lambda gpu: gpu.id)


def _lower(facts: Any) -> dict[str, str]:
    return {k.lower(): str(v) for k, v in facts.items()} if isinstance(facts, dict) else {}


def _text(facts: dict[str, str], *names: str) -> str | None:
    for name in names:
        text = facts.get(name, "").strip()
        if text and text.upper() != "N/A":
            return text
    return None


def _first(facts: dict[str, str], *names: str) -> float | None:
    return next((n for n in map(_number, map(facts.get, names)) if n is not None), None)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None  # "[N/A]", "[Not Supported]"
    return number if 0 <= number < float("inf") else None
