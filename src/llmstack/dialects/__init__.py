"""Read and edit request bodies of the OpenAI and Anthropic APIs without loss.

``read`` gives a ``RequestView`` of a body; ``replace_model`` changes its ``model`` and leaves
every other byte alone. Nothing here does input or output.
"""

from llmstack.dialects.edit import replace_model
from llmstack.dialects.read import asked, read
from llmstack.dialects.text import without_blocks
from llmstack.dialects.view import Dialect, RequestView

__all__ = ["Dialect", "RequestView", "asked", "read", "replace_model", "without_blocks"]
