"""How long a swap is thought about, and how late readiness is noticed."""
