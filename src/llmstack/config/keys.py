"""Every key that ``models.ini`` may hold: the one table behind parsing, warnings and reference.

``[DEFAULT]`` may also hold the keys of tiers and of ``[ROUTING]``; it then stands behind every
section.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SectionKind = Literal["DEFAULT", "tier", "ROUTING"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    ``kind`` says how the value is written, ``default`` what holds without it (empty: nothing).
    ``hosted`` keys belong to models that others host; this version reads past them.
    """

    section: SectionKind
    name: str
    kind: str
    default: str
    meaning: str
    hosted: bool = False


def _hosted(name: str, kind: str, meaning: str) -> Key:
    return Key("tier", name, kind, "", meaning, hosted=True)


_SETTINGS = (
    Key("DEFAULT", "host", "host", "127.0.0.1", "Address that the model servers listen on."),
    Key("DEFAULT", "router_host", "host", "127.0.0.1", "Address that the gateway listens on."),
    Key("DEFAULT", "router_port", "port", "10101", "Port of the gateway."),
    Key("DEFAULT", "engine_port", "port", "10102", "Port of the engine's own door."),
    Key("DEFAULT", "start_port", "port", "10001", "First port given to a model server."),
    Key(
        "DEFAULT",
        "engine",
        "embedded or llama-swap",
        "embedded",
        "Who runs the models: llmstack itself, or the program llama-swap.",
    ),
    Key(
        "DEFAULT",
        "llama_server_bin",
        "path",
        "",
        "The llama-server to run; without it the one on PATH, then the embedded one.",
    ),
    Key(
        "DEFAULT",
        "capture_buffer",
        "integer",
        "0",
        "Megabytes of prompts and answers to keep in memory for a look at them, 0 for none.",
    ),
)

_TIER = (
    Key("tier", "tier", "text", "", "A label; subagent, agent and orchestrator refine role."),
    Key(
        "tier",
        "role",
        "role",
        "",
        "What the tier is for: fast, agent, plan, plan-uncensored, ultra or publish; the names "
        "build, chat and nofilter-chat are understood too.",
    ),
    Key("tier", "backend", "gguf, bedrock or litellm", "", "Where the model runs, when unclear."),
    Key("tier", "hf_repo", "owner/name", "", "Hub repository of the model."),
    Key("tier", "hf_file", "file name", "", "File in hf_repo."),
    Key("tier", "hf_repo_next", "owner/name", "hf_repo", "Repository on the next channel."),
    Key("tier", "hf_file_next", "file name", "", "File that the next channel serves."),
    Key(
        "tier",
        "path",
        "path",
        "",
        "A local GGUF file instead of hf_repo and hf_file; relative to the folder of models.ini.",
    ),
    Key(
        "tier",
        "ctx_size",
        "tokens",
        "0",
        "Context window; k is 1024 and M is 1024 * 1024, and 0 leaves it to the model.",
    ),
    Key("tier", "max_output_tokens", "tokens", "", "Longest answer that clients are told of."),
    Key(
        "tier",
        "rope_scaling",
        "yarn (scale=N, orig_ctx=N, type=ARCH)",
        "",
        "Context extension; type is optional and lifts the cap at the trained length.",
    ),
    Key(
        "tier",
        "sampler",
        "temp= top_p= top_k= min_p= rep_pen=",
        "",
        "Sampling defaults, used where a request does not say.",
    ),
    Key("tier", "chat_template", "text", "", "Chat template instead of the model's own."),
    Key("tier", "size_gb", "GB", "", "Size of the model, for eviction; counted as 5 if unknown."),
    Key("tier", "size_gb_next", "GB", "size_gb", "Size of the model on the next channel."),
    Key("tier", "quant", "text", "", "Quantisation, for display."),
    Key("tier", "quant_next", "text", "", "Quantisation on the next channel, for display."),
    Key(
        "tier",
        "aliases",
        "names",
        "by role",
        "Other names of the tier, separated by commas or blanks; replaces the role's own.",
    ),
    Key(
        "tier",
        "ttl",
        "seconds",
        "by role",
        "Idle time after which the model is unloaded, 0 for never; 20m and 1h are understood.",
    ),
    Key(
        "tier",
        "preload",
        "boolean",
        "true for role fast",
        "Whether to load the model when the daemon starts.",
    ),
    Key("tier", "description", "text", "the section's name", "A line for people to read."),
    Key("tier", "price_input_per_1m", "USD", "", "Price of a million input tokens."),
    Key("tier", "price_output_per_1m", "USD", "", "Price of a million output tokens."),
    Key("tier", "price_cache_read_per_1m", "USD", "", "Price of a million cached input tokens."),
    Key("tier", "price_cache_write_per_1m", "USD", "", "Price of caching a million tokens."),
)

#: How a model server is started. A tier may say it for itself; ``[DEFAULT]`` says it for all.
_SERVER = (
    Key("tier", "n_gpu_layers", "integer", "999", "Layers to put on the GPU, 0 for none."),
    Key("tier", "flash_attn", "on, off or auto", "on", "Whether to use flash attention."),
    Key("tier", "jinja", "boolean", "true", "Whether to use the model's own chat template."),
    Key("tier", "threads", "integer", "-1", "CPU threads of a model server, -1 for all."),
    Key("tier", "cache_type_k", "cache type", "q8_0", "Number format of the key cache."),
    Key("tier", "cache_type_v", "cache type", "q8_0", "Number format of the value cache."),
    Key(
        "tier",
        "parallel",
        "integer",
        "the server's own",
        "Requests that it answers side by side; they share the context window.",
    ),
    Key(
        "tier",
        "mmproj",
        "path or off",
        "what the hub has",
        "Multimodal projector: a local file, or off for none.",
    ),
    Key("tier", "draft_path", "path", "", "A small local GGUF for speculative decoding."),
    Key(
        "tier",
        "extra_args",
        "words",
        "",
        "Further flags of llama-server, quoted as in a shell; they come last and win.",
    ),
    Key(
        "tier",
        "env",
        "NAME=value, one a line",
        "",
        "Further environment variables of the model server; no credentials.",
    ),
)

_HOSTED = (
    _hosted("aws_model_id", "text", "Bedrock model of a hosted tier."),
    _hosted("aws_model_id_next", "text", "Bedrock model on the next channel."),
    _hosted("aws_region", "text", "AWS region of a hosted tier."),
    _hosted("aws_region_next", "text", "AWS region on the next channel."),
    _hosted("aws_profile", "text", "AWS profile that holds the credentials."),
    _hosted("aws_endpoint_url", "URL", "Bedrock address other than the region's own."),
    _hosted("model", "text", "Provider and model of a hosted tier."),
    _hosted("model_next", "text", "Provider and model on the next channel."),
)

_ROUTING = (
    Key(
        "ROUTING",
        "high_fidelity_ceiling",
        "tokens",
        "12000",
        "Largest prompt for the ultra tier; about half of its context.",
    ),
    Key(
        "ROUTING",
        "mid_fidelity_ceiling",
        "tokens",
        "32000",
        "Largest prompt for the agent tier without tools; about half of its context.",
    ),
    Key("ROUTING", "multi_turn", "integer", "6", "User turns from which the agent tier answers."),
    Key("ROUTING", "plan_signal_words", "words", "built in", "Words that ask for a plan."),
    Key("ROUTING", "agent_signal_words", "words", "built in", "Words that ask for code."),
    Key(
        "ROUTING",
        "ultra_triggers",
        "words",
        "built in",
        "Marks that ask for the ultra tier: [name] in brackets, name: before a message, or name "
        "for both.",
    ),
    Key(
        "ROUTING",
        "uncensored_triggers",
        "words",
        "built in",
        "Marks that ask for the plan-uncensored tier, written like ultra_triggers.",
    ),
)

#: All keys, in the order of the reference.
KEYS: tuple[Key, ...] = (*_SETTINGS, *_TIER, *_SERVER, *_HOSTED, *_ROUTING)

#: Names under which people keep credentials. They are refused wherever they stand: the file is
#: shown to other machines.
SECRET_KEYS = frozenset(
    {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_role_arn",
        "aws_role_session_name",
        "aws_bearer_token_bedrock",
        "apikey",
        "api_key",
        "access_key",
        "secret_key",
        "auth",
        "authorization",
        "bearer",
        "password",
        "secret",
        "token",
        "hf_token",
    }
)
_SECRET_ENDINGS = ("_key", "_keys", "_token", "_secret", "_password", "apikey")


def names(section: SectionKind) -> tuple[str, ...]:
    """The key names that a section of this kind may hold itself."""
    if section == "DEFAULT":
        return tuple(key.name for key in KEYS)
    return tuple(key.name for key in KEYS if key.section == section)


def hosted_names() -> frozenset[str]:
    """The key names that only hosted tiers use."""
    return frozenset(key.name for key in KEYS if key.hosted)


def is_secret(name: str) -> bool:
    """Whether a key of this name would hold a credential."""
    plain = name.lower().replace("-", "_")
    return plain in SECRET_KEYS or plain.endswith(_SECRET_ENDINGS)
