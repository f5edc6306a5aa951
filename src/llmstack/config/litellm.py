"""What a tier behind the LiteLLM proxy of an older version is written as today."""

from __future__ import annotations

from typing import Final, NamedTuple


class Provider(NamedTuple):
    """Where its OpenAI-compatible API is, and the variable that LiteLLM read the key from."""

    base_url: str
    api_key_env: str


PROVIDERS: Final = {
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
}
_OLLAMA: Final = ("ollama", "ollama_chat")


def todays_keys(model: str) -> dict[str, str]:
    """Keys and values that say the same as ``model = PROVIDER/NAME``; none for other providers."""
    provider, _, name = model.partition("/")
    if not name or name != "".join(name.split()):
        return {}
    if provider == "bedrock":
        return {"backend": "bedrock", "aws_model_id": name.rpartition("/")[2]}
    if provider in _OLLAMA:
        return {"backend": "ollama", "model_name": name}
    if provider in PROVIDERS:
        url, variable = PROVIDERS[provider]
        return {
            "backend": "openai",
            "base_url": url,
            "model_name": name,
            "api_key_env": variable,
        }
    return {}


def instead_of(model: str) -> str:
    """A sentence that says what to write."""
    if keys := todays_keys(model):
        *first, last = (f"{key} = {value}" for key, value in keys.items())
        return f"Write {', '.join(first)} and {last}, or call 'llmstack config migrate --write'."
    return (
        "Write backend = openai, base_url = the address of the provider or of a LiteLLM proxy, "
        "model_name = its name of the model, and api_key_env = the variable that holds the key."
    )
