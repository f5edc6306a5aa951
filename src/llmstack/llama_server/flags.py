"""llama-server's options, as of llama.cpp b11549, that the embedded server understands.

Source: the option list in llama.cpp's ``tools/server/README.md``. ``arguments`` parses a command
line against these rows and ``params`` applies them.

A row is ``spellings / negative spellings | attribute | reader METAVAR | $ENV | help``. ``$X`` is
the variable ``LLAMA_ARG_X``, ``$$X`` is ``X`` itself. A row without a reader is a switch;
``reader?`` may be given bare, ``reader*`` gathers all occurrences. ``!attribute`` takes the
opposite.
"""

from __future__ import annotations

from llmstack.llama_server import flag
from llmstack.llama_server.flag import Flag, Reader, one_of

READERS: dict[str, Reader] = {
    "int": flag.integer,
    "number": flag.number,
    "factor": flag.factor,
    "text": flag.text,
    "seed": flag.seed,
    "bool": flag.on_off,
    "onoffauto": flag.on_off_auto,
    "layers": flag.layers,
    "names": flag.names,
    "numbers": flag.numbers,
    "json": flag.json_object,
    "kvtype": one_of("ggml_type", "GGML_TYPE_", "f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1"),
    "pooling": one_of("llama_pooling_type", "LLAMA_POOLING_TYPE_", "none mean cls last rank"),
    "rope": one_of("llama_rope_scaling_type", "LLAMA_ROPE_SCALING_TYPE_", "none linear yarn"),
    "split": one_of("llama_split_mode", "LLAMA_SPLIT_MODE_", "none layer row tensor"),
    "lazy": one_of("llama_lazy_mode", "LLAMA_LAZY_MODE_", "on off auto"),
    "numa": one_of("ggml_numa_strategy", "GGML_NUMA_STRATEGY_", "distribute isolate numactl"),
    "load": one_of(
        "llama_load_mode",
        "LLAMA_LOAD_MODE_",
        "auto none mmap mlock mmap+mlock=mmap_mlock dio=direct_io",
    ),
    "flash": one_of(
        "llama_flash_attn_type",
        "LLAMA_FLASH_ATTN_TYPE_",
        "on=enabled off=disabled auto enabled disabled true=enabled false=disabled 1=enabled "
        "0=disabled",
    ),
    "reasoning": one_of(
        "common_reasoning_format",
        "COMMON_REASONING_FORMAT_",
        "none auto deepseek deepseek-legacy",
    ),
    "priority": one_of(
        "ggml_sched_priority",
        "GGML_SCHED_PRIO_",
        "-1=low 0=normal 1=medium 2=high 3=realtime",
    ),
}

TABLE = """
# Model
-m --model | model.path | text FILE | $MODEL | model file (GGUF)
-hf -hfr --hf-repo | model.hf_repo | text ORG/NAME[:QUANT] | $HF_REPO | Hugging Face repository
-hff --hf-file | model.hf_file | text FILE | $HF_FILE | file of that repository
-hft --hf-token | hf_token | text TOKEN | $$HF_TOKEN | Hugging Face token
-mu --model-url | model.url | text URL | $MODEL_URL | download the model to the file of -m
-dr --docker-repo | model.docker_repo | text REPO | $DOCKER_REPO | Docker Hub repository
--offline | offline | | $OFFLINE | use only what is already downloaded
-a --alias | | names* NAMES | $ALIAS | names in the API, comma-separated
--tags | | names* TAGS | $TAGS | informational tags, comma-separated
--lora | | names* FILES | | LoRA adapters, comma-separated
--lora-scaled | | names* FILE:SCALE | | LoRA adapters with a scale each
--lora-init-without-apply | lora_init_without_apply | | | load the adapters without applying them
-mm --mmproj | mmproj.path | text FILE | $MMPROJ | multimodal projector
-mmu --mmproj-url | mmproj.url | text URL | $MMPROJ_URL | projector to download
--mmproj-auto / --no-mmproj --no-mmproj-auto | !no_mmproj | | $MMPROJ_AUTO | of -hf
--mmproj-offload / --no-mmproj-offload | mmproj_use_gpu | | $MMPROJ_OFFLOAD | projector on the GPU
--image-min-tokens | image_min_tokens | int N | $IMAGE_MIN_TOKENS | tokens per image, at least
--image-max-tokens | image_max_tokens | int N | $IMAGE_MAX_TOKENS | tokens per image, at most
--media-path | media_path | text DIR | | directory of local media files

# Listening
--host | hostnames | names HOST | $HOST | addresses or .sock paths (default 127.0.0.1)
--port | port | int N | $PORT | port; 0 takes a free one (default 8080)
--reuse-port | reuse_port | | $REUSE_PORT | let several servers share the port
--path | public_path | text DIR | $STATIC_PATH | static files to serve
--api-prefix | api_prefix | text PREFIX | $API_PREFIX | path prefix of every route
--api-key | | names* KEYS | $$LLAMA_API_KEY | keys that clients must send, comma-separated
--api-key-file | | text FILE | $API_KEY_FILE | file of such keys, one per line
--ssl-key-file | ssl_file_key | text FILE | $SSL_KEY_FILE | TLS private key (PEM)
--ssl-cert-file | ssl_file_cert | text FILE | $SSL_CERT_FILE | TLS certificate (PEM)
-to --timeout | | int SECONDS | $TIMEOUT | read and write timeout (default 3600)
--threads-http | n_threads_http | int N | $THREADS_HTTP | HTTP threads (default: slots + 4)
--sse-ping-interval | sse_ping_interval | int SECONDS | $SSE_PING_INTERVAL | SSE comments (30)
--cors-origins | cors_origins | text ORIGINS | $CORS_ORIGINS | allowed CORS origins
--cors-methods | cors_methods | text METHODS | $CORS_METHODS | allowed CORS methods
--cors-headers | cors_headers | text HEADERS | $CORS_HEADERS | allowed CORS headers
--cors-credentials / --no-cors-credentials | cors_credentials | | $CORS_CREDENTIALS | as it says

# Context and slots
-c --ctx-size | | int N | $CTX_SIZE | context in tokens, all slots together; 0 = the model's own
-np --parallel | n_parallel | int N | $N_PARALLEL | slots; -1 = 4 that share the context (default)
-kvu --kv-unified / -no-kvu --no-kv-unified | kv_unified | | $KV_UNIFIED | slots share the context
--kv-unified-per-slot | kv_unified_per_slot | int N | $KV_UNIFIED_PER_SLOT | tokens per slot
-n --predict --n-predict | n_predict | int N | $N_PREDICT | most tokens of an answer; -1 = no limit
-b --batch-size | n_batch | int N | $BATCH | logical batch (default 2048)
-ub --ubatch-size | n_ubatch | int N | $UBATCH | physical batch (default 512)
--keep | n_keep | int N | | prompt tokens to keep when the context shifts
-cb --cont-batching / -nocb --no-cont-batching | cont_batching | | $CONT_BATCHING | batch slots
--context-shift / --no-context-shift | ctx_shift | | $CONTEXT_SHIFT | drop old tokens when full
--cache-prompt / --no-cache-prompt | cache_prompt | | $CACHE_PROMPT | reuse a slot's prompt
--cache-reuse | n_cache_reuse | int N | $CACHE_REUSE | smallest chunk to reuse by shifting
-cram --cache-ram | cache_ram_mib | int MIB | $CACHE_RAM | prompt cache; -1 = no limit, 0 = none
--cache-idle-slots / --no-cache-idle-slots | cache_idle_slots | | $CACHE_IDLE_SLOTS | save them
-ctxcp --ctx-checkpoints --swa-checkpoints | n_ctx_checkpoints | int N | $CTX_CHECKPOINTS | per slot
-cms --checkpoint-min-step | checkpoint_min_step | int N | $CHECKPOINT_MIN_SPACING_NT | in tokens
-sps --slot-prompt-similarity | slot_prompt_similarity | number F | | to reuse a slot (0.1)
--slot-save-path | | text DIR | $SLOT_SAVE_PATH | where slots may be saved
--sleep-idle-seconds | sleep_idle_seconds | int SECONDS | | unload when idle; -1 = never

# Speed and memory
-t --threads | cpuparams.n_threads | int N | $THREADS | CPU threads (default: physical cores)
-tb --threads-batch | cpuparams_batch.n_threads | int N | | for prompts (default: as --threads)
--prio | cpuparams.priority | priority N | | priority of the threads, -1 to 3
--poll | cpuparams.poll | int 0..100 | | polling of the threads
-ngl --gpu-layers --n-gpu-layers | n_gpu_layers | layers N | $N_GPU_LAYERS | number, auto or all
-sm --split-mode | split_mode | split none|layer|row|tensor | $SPLIT_MODE | use of several GPUs
-ts --tensor-split | | numbers F,F,.. | $TENSOR_SPLIT | share of each GPU
-mg --main-gpu | main_gpu | int N | $MAIN_GPU | the GPU that holds the rest
-fit --fit | fit_params | bool on|off | $FIT | fit unset options into memory (default on)
-fitt --fit-target | | numbers MIB,.. | $FIT_TARGET | memory to leave free per device (1024)
-fitc --fit-ctx | fit_params_min_ctx | int N | $FIT_CTX | smallest context that --fit may choose
-ot --override-tensor | tensor_buft_overrides | text PATTERN=TYPE | $OVERRIDE_TENSOR | placement
-cmoe --cpu-moe | | | $CPU_MOE | keep all experts on the CPU
-ncmoe --n-cpu-moe | | int N | $N_CPU_MOE | keep the experts of the first N layers on the CPU
--moe-cache-mib | | int MIB | $MOE_CACHE_MIB | GPU cache of experts kept on the CPU
-fa --flash-attn | flash_attn_type | flash? on|off|auto | $FLASH_ATTN | Flash Attention
-ctk --cache-type-k | cache_type_k | kvtype TYPE | $CACHE_TYPE_K | type of cached keys (f16)
-ctv --cache-type-v | cache_type_v | kvtype TYPE | $CACHE_TYPE_V | type of cached values (f16)
-kvo --kv-offload / -nkvo --no-kv-offload | !no_kv_offload | | $KV_OFFLOAD | cache on the GPU
--op-offload / --no-op-offload | !no_op_offload | | | offload host operations
--repack / -nr --no-repack | !no_extra_bufts | | $REPACK | repack weights for the CPU
--no-host | no_host | | $NO_HOST | bypass the host buffer
--swa-full | swa_full | | $SWA_FULL | full-size cache for sliding windows
-lm --load-mode | load_mode | load auto|none|mmap|mlock|mmap+mlock|dio | $LOAD_MODE | of the file
-lzm --lazy-mode | lazy_mode | lazy on|off|auto | $LAZY_MODE | read some tensors on demand
--numa | numa | numa distribute|isolate|numactl | $NUMA | NUMA placement
--check-tensors | check_tensors | | | look for invalid weights
--warmup / --no-warmup | warmup | | | run once before being ready

# Long context
--rope-scaling | rope_scaling_type | rope none|linear|yarn | $ROPE_SCALING_TYPE | RoPE scaling
--rope-scale | | factor F | $ROPE_SCALE | expand the context by this factor
--rope-freq-base | rope_freq_base | number F | $ROPE_FREQ_BASE | RoPE base frequency
--rope-freq-scale | rope_freq_scale | number F | $ROPE_FREQ_SCALE | RoPE frequency factor
--yarn-orig-ctx | yarn_orig_ctx | int N | $YARN_ORIG_CTX | YaRN: context of the training
--yarn-ext-factor | yarn_ext_factor | number F | $YARN_EXT_FACTOR | YaRN: extrapolation mix
--yarn-attn-factor | yarn_attn_factor | number F | $YARN_ATTN_FACTOR | YaRN: attention magnitude
--yarn-beta-slow | yarn_beta_slow | number F | $YARN_BETA_SLOW | YaRN: high correction
--yarn-beta-fast | yarn_beta_fast | number F | $YARN_BETA_FAST | YaRN: low correction

# What it serves
--jinja / --no-jinja | use_jinja | | $JINJA | Jinja chat templates (default on)
--chat-template | chat_template | text TEMPLATE | $CHAT_TEMPLATE | instead of the model's own
--chat-template-file | | text FILE | $CHAT_TEMPLATE_FILE | the same, from a file
--chat-template-kwargs | | json JSON | $CHAT_TEMPLATE_KWARGS | parameters of the template
--skip-chat-parsing / --no-skip-chat-parsing | force_pure_content_parser | \
| $SKIP_CHAT_PARSING | answer everything as content, also thoughts and tool calls
--prefill-assistant / --no-prefill-assistant | prefill_assistant | \
| $PREFILL_ASSISTANT | continue a last message that is the assistant's (default on)
--reasoning-format | reasoning_format | reasoning FORMAT | $THINK | where thoughts are answered
-rea --reasoning | | onoffauto on|off|auto | $REASONING | thinking
--reasoning-effort | | text LEVEL | $REASONING_EFFORT | effort that the template is told
--reasoning-budget | sampling.reasoning_budget_tokens | int N | $THINK_BUDGET | tokens of thinking
--reasoning-budget-message | sampling.reasoning_budget_message | text TEXT \
| $THINK_BUDGET_MESSAGE | what ends thinking when its budget is used up
--reasoning-preserve / --no-reasoning-preserve | | | $REASONING_PRESERVE | keep all thoughts
--embedding --embeddings | embedding | | $EMBEDDINGS | serve /v1/embeddings only
--rerank --reranking | | | $RERANKING | serve /v1/rerank
--pooling | pooling_type | pooling none|mean|cls|last|rank | $POOLING | pooling of embeddings
--embd-normalize | embd_normalize | int N | | -1 none, 0 max, 1 taxicab, 2 euclidean (default)
--metrics | endpoint_metrics | | $ENDPOINT_METRICS | serve /metrics
--props | endpoint_props | | $ENDPOINT_PROPS | allow POST /props
--slots / --no-slots | endpoint_slots | | $ENDPOINT_SLOTS | serve /slots (default on)
-sp --special | special | | | put special tokens in answers
--ui --webui / --no-ui --no-webui | ui | | $UI | accepted; there is no web UI here

# Sampling defaults
--samplers | sampling.samplers | text A;B;.. | | samplers in order
-s --seed | sampling.seed | seed N | | seed; -1 = random
--temp --temperature | sampling.temp | number F | $TEMPERATURE | temperature (0.8)
--top-k | sampling.top_k | int N | $TOP_K | (40)
--top-p | sampling.top_p | number F | $TOP_P | (0.95)
--min-p | sampling.min_p | number F | $MIN_P | (0.05)
--typical --typical-p | sampling.typ_p | number F | | (1.0)
--xtc-probability | sampling.xtc_probability | number F | | (0.0)
--xtc-threshold | sampling.xtc_threshold | number F | | (0.1)
--repeat-last-n | sampling.penalty_last_n | int N | | tokens that penalties look at (64)
--repeat-penalty | sampling.penalty_repeat | number F | $REPEAT_PENALTY | (1.0)
--presence-penalty | sampling.penalty_present | number F | $PRESENCE_PENALTY | (0.0)
--frequency-penalty | sampling.penalty_freq | number F | $FREQUENCY_PENALTY | (0.0)
--dry-multiplier | sampling.dry_multiplier | number F | | (0.0)
--dry-base | sampling.dry_base | number F | | (1.75)
--dry-allowed-length | sampling.dry_allowed_length | int N | | (2)
--dry-penalty-last-n | sampling.dry_penalty_last_n | int N | | (64)
--adaptive-target | sampling.adaptive_target | number F | | (-1: off)
--adaptive-decay | sampling.adaptive_decay | number F | | (0.9)
--dynatemp-range | sampling.dynatemp_range | number F | | (0.0)
--dynatemp-exp | sampling.dynatemp_exponent | number F | | (1.0)
--mirostat | sampling.mirostat | int N | | 0, 1 or 2 (0)
--mirostat-lr | sampling.mirostat_eta | number F | | (0.1)
--mirostat-ent | sampling.mirostat_tau | number F | | (5.0)
--ignore-eos | sampling.ignore_eos | | | never stop by itself
-bs --backend-sampling | sampling.backend_sampling | | $BACKEND_SAMPLING | sample on the device
--grammar | | text GBNF | | grammar of every answer
--grammar-file | | text FILE | | the same, from a file
-j --json-schema | | json SCHEMA | | JSON schema of every answer
-jf --json-schema-file | | text FILE | | the same, from a file

# Speculative decoding
-md --model-draft --spec-draft-model | speculative.draft.mparams.path | text FILE \
| $SPEC_DRAFT_MODEL | draft model
--spec-draft-n-max | speculative.draft.n_max | int N | $SPEC_DRAFT_N_MAX | tokens to draft (3)
--spec-draft-n-min | speculative.draft.n_min | int N | $SPEC_DRAFT_N_MIN | at least (0)
--spec-draft-p-min --draft-p-min | speculative.draft.p_min | number F | $SPEC_DRAFT_P_MIN | (0.0)
--spec-draft-p-split --draft-p-split | speculative.draft.p_split | number F \
| $SPEC_DRAFT_P_SPLIT | (0.1)
--spec-draft-ngl -ngld --n-gpu-layers-draft --gpu-layers-draft \
| speculative.draft.n_gpu_layers | layers N | $N_GPU_LAYERS_DRAFT | its layers on the GPU
--spec-draft-device -devd --device-draft | speculative.draft.devices | text DEVICES | | its devices
--spec-draft-type-k -ctkd --cache-type-k-draft | speculative.draft.cache_type_k | kvtype TYPE \
| $SPEC_DRAFT_CACHE_TYPE_K | type of its keys
--spec-draft-type-v -ctvd --cache-type-v-draft | speculative.draft.cache_type_v | kvtype TYPE \
| $SPEC_DRAFT_CACHE_TYPE_V | type of its values
--spec-draft-threads -td --threads-draft | speculative.draft.cpuparams.n_threads | int N | | threads
--spec-type | | names* TYPES | $SPEC_TYPE | kinds of drafting, comma-separated
--spec-ngram-mod-n-min | speculative.ngram_mod.n_min | int N | | (48)
--spec-ngram-mod-n-max | speculative.ngram_mod.n_max | int N | | (64)
--spec-ngram-mod-n-match | speculative.ngram_mod.n_match | int N | | (24)

# Server
-v --verbose --log-verbose | | | | log everything
-lv --verbosity --log-verbosity | verbosity | int 0..5 | $LOG_VERBOSITY | log level (3)
--log-disable | | | | log nothing
"""


def _row(line: str) -> Flag:
    spellings, target, value, env, description = (cell.strip() for cell in line.split(" |", 4))
    positive, _, negative = spellings.partition(" / ")
    reader, _, metavar = value.partition(" ")
    return Flag(
        names=tuple(positive.split()),
        off=tuple(negative.split()),
        target=target,
        read=READERS[reader.rstrip("?*")] if reader else None,
        metavar=metavar,
        bare=reader.endswith("?"),
        many=reader.endswith("*"),
        env=env[2:] if env.startswith("$$") else env.replace("$", "LLAMA_ARG_"),
        help=description,
    )


#: The rows by chapter, in the order of the table.
CHAPTERS: dict[str, tuple[Flag, ...]] = {
    title: tuple(_row(line) for line in rows)
    for title, *rows in (
        chapter.strip().splitlines() for chapter in TABLE.split("\n# ") if chapter.strip()
    )
}

FLAGS: tuple[Flag, ...] = tuple(flag for rows in CHAPTERS.values() for flag in rows)
