"""``llm``: a list of OpenAI-compatible models in its own directory."""

from __future__ import annotations

import yaml

from llmstack.errors import LlmstackError
from llmstack.wiring.endpoint import Endpoint, FileEdit, Place, Wiring


def plan(endpoint: Endpoint, place: Place) -> Wiring:
    """A directory of the project's own, since that of the user is shared by everything."""
    if place.everywhere:
        raise LlmstackError(
            "where llm keeps the user's own models differs from machine to machine",
            fix="Wire the project (without --global), and add the file it writes to the directory "
            "that 'llm logs path' is in.",
        )
    folder = place.project / ".llmstack" / "llm"
    key = {"api_key_name": "llmstack"} if endpoint.needs_key else {}
    models = [
        {
            "model_id": model.name,
            "model_name": model.name,
            "api_base": endpoint.openai,
            "supports_tools": True,
            **key,
        }
        for model in endpoint.models
    ]
    text = yaml.safe_dump(models, sort_keys=False)
    return Wiring(
        edits=(FileEdit(folder / "extra-openai-models.yaml", text),),
        environ=(("LLM_USER_PATH", str(folder)),),
        command="llm -m auto 'hello'",
        notes=('Give it the key once: llm keys set llmstack --value "$LLMSTACK_API_KEY"',)
        if endpoint.needs_key
        else (),
    )
