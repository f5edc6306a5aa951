"""Every section of a llama-swap file has its value, its defaults and its own messages."""

from __future__ import annotations

import pytest

from llmstack.config.swap import (
    Capabilities,
    Filters,
    MemoryPlan,
    Peer,
    Performance,
    SwapConfig,
    Timeouts,
)
from tests.config.swap_file import MODELS, messages, only, parse, problems


def model(body: str) -> str:
    return f"models: {{m: {{cmd: 'run ${{PORT}}', {body}}}}}"


# -- filters, timeouts, capabilities: spec 2.4, top 40 line 13 -------------------------------------


@pytest.mark.top40(7, "setParamsByID keys are aliases")
def test_filters_are_trimmed_sorted_and_leave_the_model_alone() -> None:
    config = parse(
        """
        models:
          m:
            cmd: run ${PORT}
            filters:
              stripParams: " top_p, temperature,,top_p "
              setParams: {z: 1, a.b: {c: true}}
              setParamsByID:
                "${MODEL_ID}": {x: 1}
                "${MODEL_ID}:fast": {x: 2}
        """
    )
    filters = config.models["m"].filters
    assert filters == Filters(
        ("temperature", "top_p"),
        {"z": 1, "a.b": {"c": True}},
        {"m": {"x": 1}, "m:fast": {"x": 2}},
    )
    assert list(filters.set_params) == ["a.b", "z"]
    assert (bool(filters), bool(Filters())) == (True, False)
    assert config.models["m"].aliases == ("m:fast",)
    assert config.warnings == ()


def test_the_old_spelling_of_strip_params_counts_when_the_new_one_is_empty() -> None:
    old = parse(model("filters: {strip_params: 'a, b'}"))
    assert old.models["m"].filters.strip_params == ("a", "b")
    both = parse(model("filters: {strip_params: a, stripParams: b}"))
    assert both.models["m"].filters.strip_params == ("b",)


@pytest.mark.parametrize(
    "filters",
    [
        "stripParams: 'model, x'",
        "strip_params: 'model, x'",
        "setParams: {model: y}",
        "setParamsByID: {m: {model: y}}",
    ],
)
def test_a_filter_on_the_model_has_no_effect_and_says_so(filters: str) -> None:
    config = parse(model(f"filters: {{{filters}}}"))
    found = config.models["m"].filters
    assert "model" not in found.strip_params
    assert "model" not in found.set_params
    assert "model m: filters never change the parameter model" in config.warnings[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            (
                "models: {a: {cmd: 'x ${PORT}', filters: {setParamsByID: {b: {}}}}, "
                "b: {cmd: 'x ${PORT}'}}"
            ),
            "model a filters.setParamsByID: key 'b' conflicts with an existing model ID.",
        ),
        (
            (
                "models: {a: {cmd: 'x ${PORT}', filters: {setParamsByID: {n: {}}}}, "
                "b: {cmd: 'x ${PORT}', filters: {setParamsByID: {n: {}}}}}"
            ),
            "duplicate alias 'n' in model b filters.setParamsByID, already used by model a.",
        ),
        (
            (
                "models: {a: {cmd: 'x ${PORT}', aliases: [n]}, "
                "b: {cmd: 'x ${PORT}', filters: {setParamsByID: {n: {}}}}}"
            ),
            "duplicate alias 'n' in model b filters.setParamsByID, already used by model a.",
        ),
        (
            "models: {a: {cmd: 'x ${PORT}', filters: {setParamsByID: {'${no}': {}}}}}",
            "unknown macro '${no}' found in model a filters.setParamsByID key.",
        ),
    ],
)
def test_names_of_set_params_by_id_are_aliases_with_their_rules(text: str, message: str) -> None:
    assert messages(text) == [message]


def test_a_name_of_set_params_by_id_may_be_an_alias_of_the_same_model() -> None:
    config = parse(model("aliases: [n], filters: {setParamsByID: {n: {x: 1}}}"))
    assert config.models["m"].aliases == ("n",)
    assert config.warnings == ()


def test_timeouts_have_their_defaults_and_zero_is_off() -> None:
    assert parse(model("timeouts: {}")).models["m"].timeouts == Timeouts(30, 30, 0, 10, 1, 90)
    body = "timeouts: {connect: 1, keepalive: 2, responseHeader: 3, tlsHandshake: 4, "
    config = parse(model(body + "expectContinue: 5, idleConn: 0}"))
    assert config.models["m"].timeouts == Timeouts(1, 2, 3, 4, 5, 0)
    assert "connect must be >= 0" in only(problems(model("timeouts: {connect: -1}"))).message


def test_capabilities_are_read_and_their_mistakes_named() -> None:
    assert parse(model("ttl: 1")).models["m"].capabilities is None
    body = "capabilities: {in: [text, image], out: [audio], tools: true, reranker: yes, context: 9}"
    assert parse(model(body)).models["m"].capabilities == Capabilities(
        ("text", "image"), ("audio",), tools=True, reranker=True, context=9
    )
    assert messages(model("capabilities: {in: [video], out: [txt], context: -1}")) == [
        "model m: capabilities.context: must be >= 0.",
        'model m: capabilities.in: invalid modality "video", must be one of: text, audio, image.',
        'model m: capabilities.out: invalid modality "txt", must be one of: text, audio, image.',
    ]


def test_the_reserved_comfyui_model_ignores_websockets_whatever_is_written() -> None:
    text = "models: {comfyui_auto: {cmd: 'x ${PORT}', compat: {ignoreWebsockets: false}}}"
    assert parse(text).models["comfyui_auto"].ignore_websockets
    assert not parse(model("compat: {}")).models["m"].ignore_websockets
    assert parse(model("compat: {ignoreWebsockets: on}")).models["m"].ignore_websockets


def test_what_llmstack_adds_to_a_model() -> None:
    found = parse(model("memory: 4.5GiB, forwardApiKey: true")).models["m"]
    assert (found.memory, found.forward_api_key) == (4_831_838_208, True)
    assert parse(model("memory: 5000000000")).models["m"].memory == 5_000_000_000
    plain = parse(model("ttl: 0")).models["m"]
    assert (plain.memory, plain.forward_api_key) == (None, False)
    for written in ("4.5", "24G", "24", "-1", "auto", "[1]"):
        assert "models.m.memory: " in only(problems(model(f"memory: {written}"))).message


def test_metadata_keeps_the_types_of_macros() -> None:
    text = "macros: {n: 7, t: true, f: 1.5}\n" + model(
        "metadata: {n: '${n}', t: '${t}', f: '${f}', s: 'is ${n}', l: ['${n}'], p: '${PORT}'}"
    )
    assert parse(text).models["m"].metadata == {
        "n": 7,
        "t": True,
        "f": 1.5,
        "s": "is 7",
        "l": [7],
        "p": 5800,
    }


# -- the top level: spec 2.1 -----------------------------------------------------------------------


def test_an_empty_file_has_the_defaults_of_the_reference() -> None:
    """Top 40 line 6."""
    config = parse("")
    assert config == SwapConfig("config.yaml")
    assert (config.capture_buffer, config.metrics_max_in_memory) == (5, 1000)
    assert config.session_headers == ("X-Session-ID", "X-Litellm-Session-Id")
    assert config.performance == Performance(disabled=False, every=5.0)
    assert (config.min_residency, config.max_wait, config.queue_timeout) == (2, 120, 0)
    assert (config.store_path, config.log_time_format, config.api_keys) == ("", "", ())
    (pattern,) = config.ignore_paths
    assert pattern.search("/app/main.js")
    assert not pattern.search("/v1/models")
    assert not pattern.search("/main.js\n")


#: A model without anything but its command, up to where more could stand.
MODEL = "models: {m: {cmd: 'run -p ${PORT}'"


@pytest.mark.top40(6, "defaults")
def test_the_defaults_are_the_numbers_of_llama_swap() -> None:
    config = parse("globalTTL: 77\n" + MODEL + "}}")
    assert config.health_check_timeout == 120
    m = config.models["m"]
    assert (m.cmd, m.proxy, m.check_endpoint) == (
        "run -p 5800",
        "http://localhost:5800",
        "/health",
    )
    assert (m.ttl, m.unload_timeout, m.concurrency_limit) == (77, 10, 10)
    assert (m.unlisted, m.send_loading_state, m.ignore_websockets) == (False, False, False)
    assert parse(MODEL + "}}").models["m"].ttl == 0
    off = parse("globalTTL: 77\n" + MODEL + ", ttl: 0}}")
    assert off.models["m"].ttl == 0


def test_the_other_settings_of_the_top_level_are_read() -> None:
    config = parse(
        r"""
        logTimeFormat: " RFC3339 "
        metricsMaxInMemory: 50
        captureBuffer: -3
        store: {path: " db.sqlite "}
        ui: {activity: {session_id: [" X-A ", "", x-a, X-B]}}
        performance: {disabled: true, every: 1m30s}
        upstream: {ignorePaths: ["\\.map\\z", "(?i)^/static/"]}
        """
    )
    assert config.warnings == ()
    assert (config.log_time_format, config.metrics_max_in_memory) == ("rfc3339", 50)
    assert (config.capture_buffer, config.store_path) == (0, "db.sqlite")
    assert config.session_headers == ("X-A", "X-B")
    assert config.performance == Performance(disabled=True, every=90.0)
    assert [bool(p.search("/Static/x.map")) for p in config.ignore_paths] == [True, True]
    assert parse("ui: {activity: {session_id: []}}").session_headers == ()
    assert parse("upstream: {ignorePaths: []}").ignore_paths == SwapConfig("").ignore_paths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: {}", "store.path must not be empty."),
        ("store: {path: ' '}", "store.path must not be empty."),
        ("performance: {every: 1s}", "performance: every must be at least 5s, got 1s."),
        ("performance: {every: 15}", "performance.every: missing unit in duration '15'."),
        ("performance: {every: soon}", "performance.every: invalid duration 'soon'."),
        (
            "upstream: {ignorePaths: ['(']}",
            (
                'upstream.ignorePaths: invalid regular expression "(": missing ), unterminated '
                "subpattern at position 0."
            ),
        ),
        (
            "upstream: {ignorePaths: ['a(?=b)']}",
            (
                'upstream.ignorePaths: invalid regular expression "a(?=b)": invalid or unsupported '
                "Perl syntax: `(?`."
            ),
        ),
        ("metricsMaxInMemory: 0", "metricsMaxInMemory 0 means 1000."),
        ("logTimeFormat: iso", "logTimeFormat 'iso' is unknown, so log lines have no time."),
        ("unloadTimeout: -1", "unloadTimeout must be >= 0."),
    ],
)
def test_a_setting_that_cannot_be_is_told(text: str, message: str) -> None:
    assert messages(text) == [message]


# -- memory and queue: issue 3 improvements 1 and 2 ------------------------------------------------


def test_the_memory_router_has_a_budget_a_margin_and_pinned_models() -> None:
    start = MODELS + "routing: {router: {use: memory"
    assert parse(start + "}}").memory == MemoryPlan(None, 1 << 30, ())
    config = parse(start + ", settings: {memory: {budget: 24GiB, pinned: [first, b]}}}}")
    assert config.memory == MemoryPlan(24 << 30, 1 << 30, ("a", "b"))
    assert (config.groups, config.matrix, config.warnings) == ((), None, ())
    config = parse(start + ", settings: {memory: {budget: auto, margin: 512MiB}}}}")
    assert config.memory == MemoryPlan(None, 512 << 20, ())
    config = parse(start + ", settings: {memory: {budget: 24000000000}}}}")
    assert config.memory is not None
    assert config.memory.budget == 24_000_000_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("memory: {budget: 24}", "budget: 24 bytes is too little."),
        ("memory: {budget: 0}", "budget must be more than 0."),
        ("memory: {budget: much}", "budget: 'much' is not a size."),
        ("memory: {pinned: [zz]}", 'pinned references unknown model "zz".'),
        ("memory: {budget: 9GiB, margin: 1GiB}", "margin has no effect with a fixed budget."),
        ("groups: {}", "groups is ignored while routing.router.use is memory."),
    ],
)
def test_mistakes_of_the_memory_router(settings: str, message: str) -> None:
    text = f"{MODELS}routing: {{router: {{use: memory, settings: {{{settings}}}}}}}"
    assert [found.removeprefix("routing.router.settings.memory.") for found in messages(text)] == [
        message.replace("groups is", "routing.router.settings.groups is")
    ]


def test_declared_sizes_that_can_never_fit_are_told_where_they_stand() -> None:
    text = """\
models:
  a: {cmd: "x ${PORT}", memory: 3GiB}
  b: {cmd: "x ${PORT}", memory: 5GiB}
  c: {cmd: "x ${PORT}", memory: 2GiB}
routing: {router: {use: memory, settings: {memory: {budget: 4GiB, pinned: [a, c]}}}}
"""
    told = [(found.line, found.message) for found in problems(text)]
    assert told == [
        (3, "model b takes 5368709120 bytes, more than the whole budget of 4294967296."),
        (5, "the pinned models take 5368709120 bytes, more than the budget of 4294967296."),
    ]
    assert parse(text.replace("4GiB", "auto")).memory


def test_the_bounds_of_the_queue_can_be_set_and_contradict_one_another() -> None:
    fifo = "routing: {{scheduler: {{settings: {{fifo: {{{}}}}}}}}}"
    config = parse(fifo.format("minResidency: 0, maxWait: 0, queueTimeout: 30"))
    assert (config.min_residency, config.max_wait, config.queue_timeout) == (0, 0, 30)
    (message,) = messages(fifo.format("minResidency: 60, maxWait: 30"))
    assert "fifo.maxWait is 30, less than minResidency" in message
    (message,) = messages(fifo.format("queueTimeout: -1"))
    assert message == "routing.scheduler.settings.fifo.queueTimeout must be >= 0."


# -- peers: spec 2.10 ------------------------------------------------------------------------------


def test_a_peer_has_longer_time_limits_and_filters_without_aliases() -> None:
    config = parse(
        MODELS
        + """
peers:
  p: {proxy: "https://h/api", apiKey: sk-peer, models: [m/x, m/x, ""]}
  q:
    proxy: http://h
    models: [y]
    timeouts: {responseHeader: 0}
    filters: {stripParams: "b,a", setParams: {t: 1}, setParamsByID: {y: {u: 2}}}
"""
    )
    assert config.peers["p"] == Peer("p", "https://h/api", ("m/x",), "sk-peer")
    assert config.peers["p"].timeouts.response_header == 60
    assert config.peers["q"].timeouts.response_header == 0
    assert config.peers["q"].filters == Filters(("a", "b"), {"t": 1}, {"y": {"u": 2}})
    assert "sk-peer" not in repr(config)
    assert config.secrets == {"sk-peer"}
    assert [found.message for found in config.warnings] == [
        "peers.p: model m/x is listed twice.",
        "peers.p: an empty model name is ignored.",
    ]


def test_a_peer_may_be_asked_for_its_models_instead_of_listing_them() -> None:
    config = parse("peers: {p: {proxy: 'http://h', discover: true}}")
    assert config.peers["p"].discover
    assert config.peers["p"].models == ()
    config = parse("peers: {p: {proxy: 'http://h', discover: true, models: [x]}}")
    assert config.peers["p"].models == ("x",)
    assert not parse("peers: {p: {proxy: 'http://h', models: [x]}}").peers["p"].discover


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "peers: {p: {proxy: 'http://h', discover: false}}",
            "peers.p: peer models can not be empty.",
        ),
        ("peers: {p: {models: [x]}}", "peers.p: proxy is required."),
        ("peers: {p: {proxy: 'http://h'}}", "peers.p: peer models can not be empty."),
        ("peers: {p: {proxy: 'http://h', models: []}}", "peers.p: peer models can not be empty."),
        (
            "peers: {p: {proxy: 'h:1', models: [x]}}",
            "peers.p: invalid proxy URL: 'h:1' is not an http:// or https:// address.",
        ),
        (
            "peers: {p: {proxy: 'ftp://u:secret@h', models: [x]}}",
            "peers.p: invalid proxy URL: 'ftp://u:***@h' is not an http:// or https:// address.",
        ),
        (
            "peers: {p: {proxy: 'http://h', models: [q/x]}, p/q: {proxy: 'http://h', models: [x]}}",
            'peers.p/q: peer model "p/q/x" is also a model of peer p.',
        ),
        (
            "models: {p/x: {cmd: 'x ${PORT}'}}\npeers: {p: {proxy: 'http://h', models: [x]}}",
            'model ID "p/x" conflicts with peer model "p/x".',
        ),
        (
            (
                "models: {m: {cmd: 'x ${PORT}', aliases: [p/x]}}\n"
                "peers: {p: {proxy: 'http://h', models: [x]}}"
            ),
            'model m: alias "p/x" conflicts with peer model "p/x".',
        ),
    ],
)
def test_mistakes_of_peers(text: str, message: str) -> None:
    assert messages(text) == [message]


@pytest.mark.parametrize("text", ["models: ${nope}", "models: {m: '${nope}'}"])
def test_a_macro_in_the_place_of_a_mapping_is_not_passed_over(text: str) -> None:
    (found,) = (each for each in messages(text) if "cmd cannot be run" not in each)
    assert found.endswith("unknown macro '${nope}'.")
