"""What is estimated for the embedded server is what it logs and takes."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from llmstack.hub.gguf import read_gguf
from llmstack.residency.footprint import estimate
from llmstack.residency.sizing import read_sizing
from tests.llama_server.process import COMMAND, LlamaServerProcess

MIB = 1 << 20
TINY_CHAT = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"


@pytest.mark.parametrize(
    "flags",
    [("-c", "65536"), ("-c", "32768", "-np", "2", "-ctk", "q8_0", "-ctv", "q8_0", "-ub", "256")],
    ids=["plain", "quantized"],
)
def test_the_estimate_is_what_the_server_takes(flags: tuple[str, ...]) -> None:
    """Cache to the logged hundredth, all buffers within a tenth, and no less than is resident."""
    argv = ("-m", str(TINY_CHAT), "--port", "0", "-lv", "4", *flags)
    sizing = read_sizing((*COMMAND, *argv), {})
    assert sizing
    parts = estimate(sizing, {str(TINY_CHAT): (read_gguf(TINY_CHAT),)})
    with LlamaServerProcess(*argv) as server:
        server.wait_until_ready()
        assert server.request("/completion", {"prompt": "one two", "n_predict": 2})[0] == 200
        taken = psutil.Process(server.process.pid).memory_info().rss
        log = "\n".join(server.stderr)
    logged = {
        kind: sum(float(size) for size in re.findall(rf"{kind} buffer size = +([\d.]+) MiB", log))
        for kind in ("model", "KV", "compute", "output")
    }
    assert parts.cache.of("machine") / MIB == pytest.approx(logged["KV"], abs=0.01)
    buffers = parts.total("machine") - parts.process.of("machine")
    assert buffers / MIB == pytest.approx(sum(logged.values()), rel=0.1)
    assert parts.total("machine") > 0.95 * taken, "pages that nobody touched are not resident yet"
