"""qwen-code: the three variables of OpenAI's clients."""

from __future__ import annotations

from llmstack.wiring.endpoint import NO_KEY, Endpoint, Place, Wiring


def plan(endpoint: Endpoint, place: Place) -> Wiring:  # noqa: ARG001 - the signature is given
    """Nothing is written: it takes the variables from the shell."""
    key = "$LLMSTACK_API_KEY" if endpoint.needs_key else NO_KEY
    return Wiring(
        environ=(
            ("OPENAI_BASE_URL", endpoint.openai),
            ("OPENAI_API_KEY", key),
            ("OPENAI_MODEL", "auto"),
        ),
        command="qwen --auth-type openai",
        notes=(
            f"Its first request alone has about 28,000 tokens; auto has {endpoint.auto.window}.",
        ),
    )
