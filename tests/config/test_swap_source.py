"""A file is read as it is, and named where it cannot be."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap_loader import load_swap, parse_swap
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_as_utf_8_and_named_in_problems(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("models:\n  grün: {cmd: 'run ${PORT}'}\n", encoding="utf-8")
    config = load_swap(path, {})
    assert (config.source, list(config.models)) == (str(path), ["grün"])
    path.write_bytes(b"logLevel: info\nname: \xff\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:2: is not UTF-8 text"):
        load_swap(path, {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_swap(tmp_path / "missing.yaml", {})


def test_four_times_the_models_take_about_four_times_as_long() -> None:
    """With everything that a model of a public configuration has; 16 would be each by each."""
    few, many = (min(read_models(count) for _ in range(3)) for count in (50, 200))
    assert many < 10 * few


def read_models(count: int) -> float:
    """Seconds of processor time to read so many models."""
    model = """
  m{0}:
    cmd: |
      ${{server}} -m /models/${{MODEL_ID}}.gguf
      --ctx-size {0} --temp 0.7
    env: ["HOME=${{env.HOME}}"]
    aliases: [a{0}, b{0}]
    filters: {{stripParams: "temperature, top_p", setParamsByID: {{"${{MODEL_ID}}:x": {{a.b: 1}}}}}}
    metadata: {{ctx: {0}}}
"""
    members = ", ".join(f"m{number}" for number in range(count))
    text = "macros: {server: 'llama-server --port ${PORT}'}\nmodels:"
    text += "".join(model.format(number) for number in range(count))
    text += f"groups: {{g: {{swap: false, members: [{members}]}}}}\n"
    before = time.process_time()
    config = parse_swap(text, "config.yaml", {"HOME": "/home"})
    taken = time.process_time() - before
    assert (len(config.models), config.warnings) == (count, ())
    if count == 200:
        assert config.models["m199"].proxy.endswith(str(5800 + 111))
    return taken


def test_a_pipe_is_a_file_too(tmp_path: Path) -> None:
    """As with ``-config <(generate)`` of a shell."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=["startPort: 7000\n"], daemon=True)
    writer.start()
    assert load_swap(path, {}).start_port == 7000
    writer.join(10)
