"""Talking to a running stack from Python: ``LlamaSwap`` and ``AsyncLlamaSwap``.

See ``docs/client.md``. Importing this costs nothing; the openai SDK (the extra
``llmstack[client]``) is imported with the first request.
"""

from typing import TYPE_CHECKING

from llmstack.lazy import exports

if TYPE_CHECKING:
    from llmstack.client.api_error import APIError
    from llmstack.client.async_swap import AsyncLlamaSwap
    from llmstack.client.calls import ListedModel
    from llmstack.client.images import Image, ImageRequest, ImageResult
    from llmstack.client.swap import LlamaSwap

__all__ = [
    "APIError",
    "AsyncLlamaSwap",
    "Image",
    "ImageRequest",
    "ImageResult",
    "ListedModel",
    "LlamaSwap",
]

__getattr__ = exports(
    "llmstack.client",
    {
        "APIError": "api_error",
        "AsyncLlamaSwap": "async_swap",
        "Image": "images",
        "ImageRequest": "images",
        "ImageResult": "images",
        "ListedModel": "calls",
        "LlamaSwap": "swap",
    },
)
