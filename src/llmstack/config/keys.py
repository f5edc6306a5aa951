"""Every key that ``models.ini`` may hold: the one table behind parsing, warnings and reference.

``[DEFAULT]`` may also hold the keys of tiers and of ``[ROUTING]``; it then stands behind every
section.
"""

from __future__ import annotations

from llmstack.config.hosted import BACKENDS
from llmstack.config.hosted_keys import HOSTED, PRICES
from llmstack.config.key import Key, SectionKind
from llmstack.config.network_keys import NETWORK

_SETTINGS = (
    Key("DEFAULT", "host", "host", "127.0.0.1", "Address that the model servers listen on."),
    Key(
        "DEFAULT",
        "router_host",
        "host",
        "127.0.0.1",
        "Address that the gateway listens on; one of the network needs keys (llmstack keys).",
    ),
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
    Key(
        "DEFAULT",
        "ollama",
        "off or URL",
        "",
        "Where Ollama is, or off; without it OLLAMA_HOST and Ollama's own port are tried.",
    ),
    *NETWORK,
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
    Key(
        "tier",
        "backend",
        ", ".join(("gguf", *BACKENDS)),
        "gguf; bedrock with aws_model_id",
        "Where the model is: here (gguf), or at one of the others.",
    ),
    Key("tier", "hf_repo", "owner/name", "", "Hub repository of the model.", of="local"),
    Key("tier", "hf_file", "file name", "", "File in hf_repo.", of="local"),
    Key(
        "tier",
        "hf_repo_next",
        "owner/name",
        "hf_repo",
        "Repository on the next channel.",
        of="local",
    ),
    Key("tier", "hf_file_next", "file name", "", "File that the next channel serves.", of="local"),
    Key(
        "tier",
        "path",
        "path",
        "",
        "A local GGUF file instead of hf_repo and hf_file; relative to the folder of models.ini.",
        of="local",
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
        of="local",
    ),
    Key(
        "tier",
        "sampler",
        "temp= top_p= top_k= min_p= rep_pen=",
        "",
        "Sampling defaults, used where a request does not say.",
    ),
    Key(
        "tier", "chat_template", "text", "", "Chat template instead of the model's own.", of="local"
    ),
    Key(
        "tier",
        "size_gb",
        "GB",
        "",
        "Size of the model, for eviction; counted as 5 if unknown.",
        of="local",
    ),
    Key(
        "tier",
        "size_gb_next",
        "GB",
        "size_gb",
        "Size of the model on the next channel.",
        of="local",
    ),
    Key("tier", "quant", "text", "", "Quantisation, for display.", of="local"),
    Key(
        "tier",
        "quant_next",
        "text",
        "",
        "Quantisation on the next channel, for display.",
        of="local",
    ),
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
        of="local",
    ),
    Key(
        "tier",
        "preload",
        "boolean",
        "true for role fast",
        "Whether to load the model when the daemon starts.",
        of="local",
    ),
    Key("tier", "description", "text", "the section's name", "A line for people to read."),
)

#: How a model server is started. A tier may say it for itself; ``[DEFAULT]`` says it for all.
_SERVER = (
    Key(
        "tier",
        "n_gpu_layers",
        "integer",
        "999",
        "Layers to put on the GPU, 0 for none.",
        of="local",
    ),
    Key(
        "tier", "flash_attn", "on, off or auto", "on", "Whether to use flash attention.", of="local"
    ),
    Key(
        "tier",
        "jinja",
        "boolean",
        "true",
        "Whether to use the model's own chat template.",
        of="local",
    ),
    Key(
        "tier", "threads", "integer", "-1", "CPU threads of a model server, -1 for all.", of="local"
    ),
    Key(
        "tier", "cache_type_k", "cache type", "q8_0", "Number format of the key cache.", of="local"
    ),
    Key(
        "tier",
        "cache_type_v",
        "cache type",
        "q8_0",
        "Number format of the value cache.",
        of="local",
    ),
    Key(
        "tier",
        "parallel",
        "integer",
        "the server's own",
        "Requests that it answers side by side; they share the context window.",
        of="local",
    ),
    Key(
        "tier",
        "mmproj",
        "path or off",
        "what the hub has",
        "Multimodal projector: a local file, or off for none.",
        of="local",
    ),
    Key(
        "tier", "draft_path", "path", "", "A small local GGUF for speculative decoding.", of="local"
    ),
    Key(
        "tier",
        "extra_args",
        "words",
        "",
        "Further flags of llama-server, quoted as in a shell; they come last and win.",
        of="local",
    ),
    Key(
        "tier",
        "env",
        "NAME=value, one a line",
        "",
        "Further environment variables of the model server; no credentials.",
        of="local",
    ),
)

#: How requests are fitted into a tier's window.
_CONTEXT = (
    Key(
        "tier",
        "context_policy",
        "off, limit_only, always or llm_assisted",
        "limit_only",
        "What is done so that requests fit: nothing; something when one does not fit; the same "
        "earlier, from context_trigger on; or with a summary of what is left out. Without a known "
        "window nothing is done.",
    ),
    Key(
        "tier",
        "truncation_mode",
        "sliding_window or strict_error",
        "sliding_window",
        "With limit_only: whether what does not fit is shortened or refused.",
    ),
    Key(
        "tier",
        "context_trigger",
        "share",
        "0.85",
        "Share of the room for prompts at which it is done.",
    ),
    Key(
        "tier",
        "context_target",
        "share",
        "0.6",
        "Share of that room to which a prompt is then shortened.",
    ),
    Key(
        "tier",
        "context_keep_recent",
        "integer",
        "4",
        "Last turns and tool rounds that are never shortened.",
    ),
    Key(
        "tier",
        "prompt_hygiene",
        "boolean",
        "true",
        "Whether volatile lines at the front of prompts are made stable, for the server's cache.",
    ),
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
    Key(
        "ROUTING",
        "sticky",
        "boolean",
        "true",
        "Whether auto minds what a switch costs: a turn stays on its model, side work goes to what "
        "is loaded, and a session moves when it is worth it; off is the bare ladder.",
    ),
    Key(
        "ROUTING",
        "switch_cost_limit",
        "seconds",
        "45",
        "Seconds of loading and reading that a step from the agent to the ultra or plan tier is "
        "worth; with 0 a session moves only when it is asked to.",
    ),
)

#: All keys, in the order of the reference.
KEYS: tuple[Key, ...] = (*_SETTINGS, *_TIER, *_CONTEXT, *PRICES, *_SERVER, *HOSTED, *_ROUTING)

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
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "secret",
        "token",
        "hf_token",
    }
)
_SECRET_ENDINGS = (
    "_key",
    "_keys",
    "_token",
    "_secret",
    "_password",
    "_credentials",
    "_passphrase",
    "apikey",
)


def names(section: SectionKind) -> tuple[str, ...]:
    """The key names that a section of this kind may hold itself."""
    if section == "DEFAULT":
        return tuple(key.name for key in KEYS)
    return tuple(key.name for key in KEYS if key.section == section)


def names_for(*uses: str) -> frozenset[str]:
    """The key names whose ``of`` is one of ``uses``."""
    return frozenset(key.name for key in KEYS if key.of in uses)


def is_secret(name: str) -> bool:
    """Whether a key of this name would hold a credential."""
    plain = name.lower().replace("-", "_")
    return plain in SECRET_KEYS or plain.endswith(_SECRET_ENDINGS)
