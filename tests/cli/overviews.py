"""What a busy stack tells of itself."""

from __future__ import annotations

from typing import Any

OVERVIEW: dict[str, Any] = {
    "time": 1.0,
    "version": "0.9.0",
    "uptime_s": 7380.0,
    "kind": "stack",
    "channel": "current",
    "auto": True,
    "models": [
        {"id": "code-fast", "provider": "local", "state": "stopped", "ttl_left": None},
        {
            "id": "code-smart",
            "provider": "local",
            "state": "ready",
            "in_flight": 1,
            "waiting": 2,
            "ttl_left": 1680.0,
            "memory": 8_100_000_000,
            "tokens_per_second": 41.23,
        },
        {"id": "code-ultra", "provider": "bedrock", "state": "", "memory": None},
    ],
    "devices": [
        {
            "id": "host",
            "name": "a machine",
            "total": 32e9,
            "used": 16e9,
            "models": [
                {"id": "code-smart", "bytes": 8_000_000_000, "estimated": False},
                {"id": "plan", "bytes": 4_000_000_000, "estimated": True},
            ],
        }
    ],
    "queue": {"waiting": 2, "in_flight": 1, "loading": ["plan"]},
    "tokens_per_second": 41.23,
    "today": {
        "since": 0.0,
        "requests": 123,
        "errors": 4,
        "input_tokens": 4_500_000,
        "output_tokens": 120_000,
        "cached_tokens": 3_900_000,
        "swaps": 5,
        "swap_s": 12.5,
        "reprefill_s": 8.2,
        "reprefill_tokens": 12_000,
        "cost_usd": 1.234,
    },
    "budgets": [{"tier": "code-ultra", "period": "day", "spent_usd": 3.2, "budget_usd": 10.0}],
}
LIVE: dict[str, Any] = {
    "id": "7",
    "model": "code-smart",
    "req_path": "/v1/chat/completions",
    "elapsed_ms": 900,
    "phase": "generating",
    "tier": "code-smart",
    "session": "a1b2c3d4",
    "reason": "few tokens",
}
