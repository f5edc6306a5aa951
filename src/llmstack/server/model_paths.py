"""The paths on which a request names a model (llama-swap's behaviour report, section 3.5)."""

from __future__ import annotations

_TEXT = (
    "chat/completions",
    "responses",
    "completions",
    "messages",
    "messages/count_tokens",
    "embeddings",
    "rerank",
    "reranking",
)
#: POST routes, with any encoding of a body.
MODEL_POSTS = frozenset(
    {
        *(f"/v1/{name}" for name in _TEXT),
        *(f"/v/{name}" for name in _TEXT),
        "/rerank",
        "/reranking",
        "/infill",
        "/completion",
        "/v1/audio/speech",
        "/v1/audio/voices",
        "/v1/audio/transcriptions",
        "/v1/images/generations",
        "/v1/images/edits",
        "/sdapi/v1/txt2img",
        "/sdapi/v1/img2img",
        "/audioapi/v1/tasks/run",
    }
)
#: GET routes, with the model in the query.
MODEL_GETS = frozenset({"/v1/audio/voices", "/sdapi/v1/loras", "/props"})
