"""Where a section's model is: here, or at one of the backends of ``hosted.BACKENDS``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from llmstack.config import hosted as table
from llmstack.config.hosted import Hosted, Source
from llmstack.config.keys import names, names_for
from llmstack.config.litellm import instead_of
from llmstack.config.numbers import BadValueError, parse_int, parse_seconds, shown
from llmstack.config.problems import nearest
from llmstack.config.read_headers import read_headers
from llmstack.config.redact import is_secret_name
from llmstack.config.upstream_url import parse_url
from llmstack.config.variables import holds_key, parse_variable_name, variables_in

if TYPE_CHECKING:
    from llmstack.config.fields import Fields

#: The value of ``backend`` for models that run here, and that of the proxy of older files.
GGUF: Final = "gguf"
LITELLM: Final = "litellm"

APIS: Final = ("chat", "completions", "messages", "responses", "embeddings")

_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MOST_RETRIES, _LONGEST_CONNECT = 10, 600
_WEIGHTS = ("path", "hf_repo", "hf_file")
#: What the section of a source may say; with ``model_name`` it is a tier.
OF_SOURCES = names_for("url", "hosted") | {"backend", "description"}


def kind_of(fields: Fields) -> str:
    """``gguf``, a key of ``BACKENDS``, ``litellm``, or empty where nobody can tell.

    It is what ``backend`` says; else what the section itself names, a model of others or weights;
    else what ``[DEFAULT]`` names.
    """
    if (written := fields.read("backend", _backend)) is not None:
        return written
    if fields.has("backend"):
        return ""
    own = {key for key in fields.own.entries if fields.has(key)}
    if not own & {"aws_model_id", "model"} and own.intersection(_WEIGHTS):
        return GGUF
    if fields.has("aws_model_id"):
        return next(kind for kind in table.BACKENDS if on_aws(kind))
    if fields.has("model"):
        return LITELLM
    if own & {"base_url", "model_name"} and not any(map(fields.has, _WEIGHTS)):
        listed = ", ".join(kind for kind in table.BACKENDS if not on_aws(kind))
        key = "base_url" if "base_url" in own else "model_name"
        fields.error(key, "backend is missing", f"Add a line backend = and one of {listed}.")
        return ""
    return GGUF


def is_source(fields: Fields, kind: str) -> bool:
    """Whether the section offers all models of a server, and is no tier."""
    if kind not in table.BACKENDS or on_aws(kind):
        return False
    return "model_name" not in table.BACKENDS[kind].needs and not fields.has("model_name")


def read_hosted(fields: Fields, kind: str) -> tuple[Hosted, Hosted | None]:
    """Where the model is, and where the next channel has it (None: in the same place).

    What is missing or wrong is recorded in ``fields``.
    """
    for key in table.BACKENDS[kind].needs:
        if not fields.has(key) and fields.entry(key) is None:
            where = "backend" if fields.has("backend") else "tier"
            fields.error(where, f"{key} is missing", f"Add a line {key} = ... to the section.")
        elif not fields.has(key):
            fields.error(key, "the value is empty", "Write it, or remove the section.")
    hosted = _aws(fields, kind) if on_aws(kind) else _behind_url(fields, kind)
    model_key, region_key = (
        ("aws_model_id_next", "aws_region_next") if on_aws(kind) else ("model_name_next", "")
    )
    model = fields.read(model_key, _value, variables=True) or hosted.model
    region = fields.read(region_key, _region, variables=True) if region_key else ""
    upgrade = replace(hosted, model=model, region=region or hosted.region)
    return hosted, upgrade if upgrade != hosted else None


def check_values(fields: Fields) -> None:
    """Read what a section says of hosted models, whether or not anybody uses it.

    A credential is refused wherever it stands.
    """
    _aws(fields, "")
    _behind_url(fields, "")


def read_source(fields: Fields, kind: str) -> Source:
    """A server all of whose models are offered."""
    hosted, _ = read_hosted(fields, kind)
    for key in fields.own.entries:
        if key in names("tier") and key not in OF_SOURCES:
            fields.warning(
                key,
                "a section without model_name offers every model of its server and is no tier, "
                "so it has no effect",
                "Remove the line, or add model_name.",
            )
    return Source(fields.own.name, hosted, fields.text("description") or fields.own.name)


def warn_of_others(fields: Fields, kind: str) -> None:
    """Warn of the section's own keys that only tiers of another kind would use."""
    if kind == GGUF:
        others, why = names_for("hosted", "aws", "url", "litellm"), "only hosted tiers use it"
    else:
        place = "url" if on_aws(kind) else "aws"
        others, why = names_for("local", place, "litellm"), f"backend = {kind} does not use it"
    for key in sorted(others & fields.own.entries.keys()):
        fix = "Write model_name." if key == "model" and kind != GGUF else "Remove the line."
        fields.warning(key, why, fix)


def leave_out(fields: Fields) -> None:
    """Warn that a tier behind the proxy of an older version is not served, and what to write."""
    key = "model" if fields.has("model") else "backend"
    fields.warning(
        key,
        f"there is no LiteLLM proxy inside any more, and {fields.own.name} is left out",
        _instead(fields),
    )


def _instead(fields: Fields) -> str:
    if any(map(fields.has, _WEIGHTS)):
        return "Write backend = gguf to serve its local model."
    return instead_of(fields.text("model") or "")


def on_aws(kind: str) -> bool:
    """Whether models of this backend are named by the ``aws_`` keys."""
    backend = table.BACKENDS.get(kind)
    return backend is not None and "aws_model_id" in backend.needs


def _backend(text: str) -> str:
    kinds = (GGUF, *table.BACKENDS)
    if text.lower() in (*kinds, LITELLM):
        return text.lower()
    listed = ", ".join(kinds)
    raise BadValueError(
        f"{shown(text)} is not one of {listed}",
        nearest(text, kinds) or f"Write one of {listed}.",
    )


def _aws(fields: Fields, kind: str) -> Hosted:
    return _timed(
        fields,
        Hosted(
            backend=kind,
            model=fields.read("aws_model_id", _value, variables=True) or "",
            region=fields.read("aws_region", _region, variables=True) or "",
            profile=fields.read("aws_profile", _value, variables=True) or "",
            endpoint_url=fields.read("aws_endpoint_url", _url, variables=True) or "",
        ),
    )


def _behind_url(fields: Fields, kind: str) -> Hosted:
    return _timed(
        fields,
        Hosted(
            backend=kind,
            model=fields.read("model_name", _value, variables=True) or "",
            base_url=fields.read("base_url", _url, variables=True) or "",
            api_key_env=fields.read("api_key_env", parse_variable_name, variables=True) or "",
            headers=read_headers(fields),
            apis=_apis(fields),
        ),
    )


def _timed(fields: Fields, hosted: Hosted) -> Hosted:
    def seconds(key: str, default: float) -> float:
        read = fields.read(key, parse_seconds)
        return default if read is None else float(read)

    connect = fields.read("connect_timeout", _connect)
    retries = fields.read("retries", lambda text: parse_int(text, minimum=0, maximum=_MOST_RETRIES))
    return replace(
        hosted,
        connect_timeout=hosted.connect_timeout if connect is None else connect,
        first_byte_timeout=seconds("first_byte_timeout", hosted.first_byte_timeout),
        idle_timeout=seconds("idle_timeout", hosted.idle_timeout),
        retries=hosted.retries if retries is None else retries,
    )


def _connect(text: str) -> float:
    seconds = parse_seconds(text)
    if not 1 <= seconds <= _LONGEST_CONNECT:
        raise BadValueError(
            f"{shown(text)} is out of range", f"Write 1 to {_LONGEST_CONNECT} seconds."
        )
    return float(seconds)


def _apis(fields: Fields) -> tuple[str, ...]:
    found = []
    for word in dict.fromkeys(" ".join(fields.words("apis")).lower().split()):
        if word in APIS:
            found.append(word)
        else:
            listed = ", ".join(APIS)
            hint = nearest(word, APIS) or f"Write some of {listed}."
            fields.error("apis", f"{shown(word)} is not one of {listed}", hint)
    return tuple(found)


def _value(text: str) -> str:
    """A name in the words of others; never a credential, for it is shown."""
    if holds_key(text):
        raise BadValueError(
            "the value looks like a credential, which other machines may read here",
            "Take it out; name the variable that holds a key in api_key_env.",
        )
    for name in variables_in(text):
        if is_secret_name(name):
            raise BadValueError(
                f"${name} would be a credential, and this value is shown",
                "Name another variable; the one that holds a key goes in api_key_env.",
            )
    return text


def _region(text: str) -> str:
    if not variables_in(text) and not region_is_well_formed(text):
        raise BadValueError(f"{shown(text)} is not a region", "Write one such as eu-central-1.")
    return _value(text)


def region_is_well_formed(text: str) -> bool:
    """Whether ``text`` can be a region; it becomes part of a host name."""
    return _REGION.fullmatch(text) is not None


def _url(text: str) -> str:
    return _value(parse_url(text))
