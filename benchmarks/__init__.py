"""Benchmarks of llmstack: `benchmarks.relay` (the gateway) and `benchmarks.start` (the CLI)."""
