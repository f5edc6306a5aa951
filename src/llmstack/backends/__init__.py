"""Where requests end: a process that runs here, or a model that others host.

Every backend keeps one small protocol (``llmstack.backends.protocol``): open an answer for a
request, list models, tell its health. The doors know nothing else of them.
"""
