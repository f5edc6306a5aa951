"""HTTP: the gateway, the engine's door, and the daemon that runs both.

Import what you need from the modules; importing the package alone loads none of them.
"""
