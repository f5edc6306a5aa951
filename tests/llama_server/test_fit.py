"""What ``llmstack fit`` says of a tier is what the embedded server takes once it is loaded."""

from __future__ import annotations

from pathlib import Path

import psutil

from llmstack.config.server_flags import common_flags, tier_flags
from llmstack.config.stack_loader import parse_stack
from llmstack.residency.room import machine_room
from llmstack.server.fit import Headers, fit_stack
from tests.llama_server.process import LlamaServerProcess

TINY_CHAT = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"
INI = f"""[DEFAULT]
n_gpu_layers = 0
cache_type_k = f16
cache_type_v = f16
[t]
path = {TINY_CHAT}
ctx_size = 8192
"""
#: A prompt that fills most of the window, so that the pages of the cache are touched.
PROMPT = [5] * 8_000


def test_the_sum_of_a_tier_is_what_its_process_takes() -> None:
    """Once the window has been filled: not less than is resident, and not a quarter more."""
    stack = parse_stack(INI, "models.ini").stack
    (load,) = fit_stack(stack, "current", machine_room(16 << 30, "it"), Headers()).loads
    assert load.source == "file"
    assert load.share
    (tier,) = stack.tiers
    flags = [*common_flags(stack.settings, tier.server), *tier_flags(tier, "current")]
    words = [word for flag in flags if flag[0] not in {"--host", "--port"} for word in flag]
    with LlamaServerProcess(*words, "--port", "0") as server:
        server.wait_until_ready()
        assert server.request("/completion", {"prompt": PROMPT, "n_predict": 2})[0] == 200
        taken = psutil.Process(server.process.pid).memory_info().rss
    assert 0.95 * taken < load.share.of("machine") < 1.25 * taken
