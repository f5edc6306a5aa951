"""Configurations for the agents that use the stack."""
