"""Talking to a running stack from Python."""
