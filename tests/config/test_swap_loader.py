"""A llama-swap file loads with llama-swap's defaults; all its mistakes come at once, with lines."""

from __future__ import annotations

import pytest

from llmstack.config.swap import Group, Matrix, MatrixSet, SwapConfig, SwapModel
from llmstack.residency import compile_residency
from tests.config.swap_file import MODELS, only, parse, problems

# -- values ------------------------------------------------------------------------------------


@pytest.mark.top40(2, "an empty configuration loads")
@pytest.mark.parametrize("text", ["", "# nothing\n", "models:\n", "{}"])
def test_an_empty_configuration_has_no_models_and_the_defaults(text: str) -> None:
    assert parse(text) == SwapConfig("config.yaml")


@pytest.mark.top40(7, "ids with slash and colon")
def test_a_model_has_the_defaults_of_llama_swap() -> None:
    config = parse("models:\n  org/m:7b:\n    cmd: run ${PORT}\n")
    assert config.warnings == ()
    assert config.models["org/m:7b"] == SwapModel(
        id="org/m:7b", cmd="run 5800", proxy="http://localhost:5800", line=2
    )


def test_every_key_of_a_model_is_read() -> None:
    config = parse(
        """
        globalTTL: 60
        unloadTimeout: 5
        sendLoadingState: true
        models:
          m:
            cmd: |
              # served from the small card
              run --port ${PORT}
            cmdStop: docker stop ${MODEL_ID}-${PID}
            aliases: [x, 7]
            env: [A=1]
            checkEndpoint: " none "
            unlisted: yes
            useModelName: real
            name: Model
            description: Text
            concurrencyLimit: 3
            metadata: {port: "${PORT}", tags: [a]}
          n: {cmd: run, proxy: "https://host:1/v", ttl: 0, unloadTimeout: 9, sendLoadingState: no}
        """
    )
    assert config.warnings == ()
    assert config.models["m"] == SwapModel(
        id="m",
        cmd="run --port 5800\n",
        cmd_stop="docker stop m-${PID}",
        proxy="http://localhost:5800",
        aliases=("x", "7"),
        env=("A=1",),
        check_endpoint="none",
        ttl=60,
        unload_timeout=5,
        unlisted=True,
        use_model_name="real",
        name="Model",
        description="Text",
        concurrency_limit=3,
        send_loading_state=True,
        metadata={"port": 5800, "tags": ["a"]},
        line=6,
    )
    other = config.models["n"]
    assert (other.ttl, other.unload_timeout, other.send_loading_state) == (0, 9, False)


def test_the_top_level_is_read() -> None:
    config = parse(
        """
        healthCheckTimeout: 600
        startPort: 10001
        logLevel: " WARN "
        logToStdout: both
        includeAliasesInList: true
        """
    )
    assert config == SwapConfig(
        "config.yaml",
        health_check_timeout=600,
        start_port=10001,
        log_level="warn",
        log_to_stdout="both",
        include_aliases_in_list=True,
    )


def test_the_environment_is_read_from_the_mapping_given() -> None:
    text = 'models: {m: {cmd: "run ${env.BIN} # ${PORT}"}} # ${env.UNSET}\n'
    assert parse(text, {"BIN": "x"}).models["m"].cmd == "run x # 5800"


def test_the_configuration_of_a_whole_stack_loads_and_decides() -> None:
    config = parse(
        """
        healthCheckTimeout: 600
        startPort: 10001
        macros:
          server: /opt/llama-server
          common: --host 127.0.0.1 --port ${PORT} -ngl 999
        models:
          code-fast:
            cmd: |
              ${server} ${common}
              # the small one
              --alias ${MODEL_ID} -c 131072
            aliases: [fast, small]
            ttl: 0
          code-smart: {cmd: "${server} ${common}", aliases: null, ttl: 1800}
          plan: {cmd: "${server} ${common}"}
        matrix:
          vars: {f: code-fast, c: code-smart, p: plan}
          evict_costs: {f: 2, c: 30}
          sets:
            agent_with_fast: f & c
            plan_with_fast: f & p
        hooks: {on_startup: {preload: [small]}}
        """
    )
    assert config.warnings == ()
    assert config.preload == ("code-fast",)
    assert config.models["plan"].cmd == ("/opt/llama-server --host 127.0.0.1 --port 10003 -ngl 999")
    assert config.matrix == Matrix(
        vars={"f": "code-fast", "c": "code-smart", "p": "plan"},
        evict_costs={"f": 2, "c": 30},
        sets=(
            MatrixSet("agent_with_fast", "f & c", 21),
            MatrixSet("plan_with_fast", "f & p", 22),
        ),
        line=17,
    )
    assert compile_residency(config).evict("plan", ["code-fast", "code-smart"]) == {"code-smart"}


# -- groups, matrix, scheduler -------------------------------------------------------------------


@pytest.mark.top40(10, "old and new place of groups")
@pytest.mark.parametrize(
    "text",
    [
        "groups: {g: {members: [a, b], swap: false, persistent: true}}",
        "routing: {router: {settings: {groups: {g: {members: [a, b], swap: no, persistent: y}}}}}",
        (
            "routing: {router: {use: group, settings: {groups: {g: {members: [a, b], swap: off, "
            "persistent: on}}}}}"
        ),
    ],
)
def test_groups_are_read_from_the_old_and_the_new_place(text: str) -> None:
    config = parse(MODELS + text)
    assert config.groups == (Group("g", ("a", "b"), swap=False, persistent=True, line=6),)
    assert (config.matrix, config.warnings) == (None, ())


@pytest.mark.top40(10, "routing.* for the matrix")
def test_the_matrix_is_read_from_the_new_place_only_when_it_is_chosen() -> None:
    settings = "settings: {matrix: {sets: {s: a & b}}, groups: {g: {members: [zz]}}}"
    config = parse(f"{MODELS}routing: {{router: {{use: matrix, {settings}}}}}")
    assert config.matrix is not None
    assert config.groups == ()
    (warning,) = config.warnings
    assert "groups is ignored while routing.router.use is matrix" in warning.message
    settings = "settings: {matrix: {sets: {}}}"
    config = parse(f"{MODELS}routing: {{router: {{{settings}}}}}")
    assert config.matrix is None
    assert "matrix is ignored" in config.warnings[0].message


@pytest.mark.top40(10, "not both")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "groups: {g: {members: [a]}}\nrouting: {router: {use: group}}",
            "config uses both the legacy top-level 'groups' key and the new 'routing.router' block",
        ),
        (
            "matrix: {sets: {s: a}}\nrouting: {router: {settings: {groups: {g: {}}}}}",
            "config uses both the legacy top-level 'matrix' key and the new 'routing.router' block",
        ),
        (
            "groups: {g: {}}\nmatrix: {sets: {s: a}}",
            "config cannot use both 'groups' and 'matrix'",
        ),
        (
            "routing: {router: {use: matrix}}",
            "routing.router.use is 'matrix' but routing.router.settings.matrix is not set",
        ),
        (
            "routing: {router: {use: groop}}",
            'routing.router.use: unknown router "groop" (valid: group, matrix, memory)',
        ),
        (
            "routing: {scheduler: {use: lifo}}",
            'routing.scheduler.use: unknown scheduler "lifo" (valid: fifo)',
        ),
        (
            "routing: {scheduler: {settings: {fifo: {priority: {zz: 1}}}}}",
            'routing.scheduler.settings.fifo.priority references unknown model "zz"',
        ),
        ("groups: {g: {members: [a, a]}}", "duplicate model member a found in group: g"),
        (
            "groups: {g: {members: [a]}, h: {members: [a]}}",
            "model member a is used in multiple groups: g and h",
        ),
        ("groups: {g: {members: [zz]}}", 'no model config for "zz" in group "g"'),
        ("groups: {g: {members: [first]}}", 'group "g" names model "a" by its alias "first"'),
        ("matrix: {sets: {}}", "matrix: matrix must define at least one set"),
        ("matrix: {sets: {s: ' '}}", 'matrix: set "s": empty expression'),
        (
            "matrix: {vars: {a_b: a}, sets: {s: a}}",
            "matrix: var key \"a_b\" must contain only alphanumeric, '-' or '.' characters",
        ),
        (
            "matrix: {vars: {x: first}, sets: {s: a}}",
            'matrix: var key "x" references unknown model "first"',
        ),
        (
            "matrix: {evict_costs: {a: 0}, sets: {s: a}}",
            'matrix: evict_cost for "a" must be a positive integer, got 0',
        ),
        (
            "matrix: {evict_costs: {zz: 1}, sets: {s: a}}",
            'matrix: evict_costs: unknown var or model "zz"',
        ),
        (
            "matrix: {vars: {x: a}, evict_costs: {x: 1, a: 2}, sets: {s: a}}",
            'matrix: evict_costs: "a" and "x" are the same model',
        ),
    ],
)
def test_a_mistake_in_the_routing_is_refused(text: str, message: str) -> None:
    found = only(problems(MODELS + text))
    assert message in found.message
    assert found.line in {6, 7}


def test_top_level_groups_go_together_with_a_scheduler_and_priorities_follow_aliases() -> None:
    text = "groups: {}\nrouting: {scheduler: {settings: {fifo: {priority: {first: 5, b: 1}}}}}"
    assert parse(MODELS + text).priorities == {"a": 5, "b": 1}


# -- mistakes ----------------------------------------------------------------------------------


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        """\
        globalTTL: -1
        healthCheckTimeout: soon
        startPort: 0
        logToStdout: file
        models:
          m:
            cmd: run ${nope}
            proxy: localhost:8080
            ttl: -2
            unloadTimeout: -1
            aliases: [x, x]
            unlisted: maybe
            env: A=1
        """
    )
    assert [(problem.line, problem.message) for problem in found] == [
        (1, "globalTTL must be >= 0."),
        (2, "healthCheckTimeout: expected a whole number, got the text 'soon'."),
        (3, "startPort must be greater than 1."),
        (4, "logToStdout must be one of: proxy, upstream, both, none."),
        (7, "unknown macro '${nope}' found in m.cmd."),
        (8, "model m: invalid proxy URL: 'localhost:8080' is not an http:// or https:// address."),
        (9, "model m: invalid TTL value -2."),
        (10, "model m: invalid unloadTimeout value -1."),
        (11, "duplicate alias x found in model: m."),
        (12, "models.m.unlisted: expected true or false, got the text 'maybe'."),
        (13, "models.m.env: expected a list, got the text 'A=1'."),
    ]


@pytest.mark.top40(7, "unique aliases")
def test_an_alias_belongs_to_one_model_and_an_id_wins_over_an_alias() -> None:
    twice = MODELS + "  d: {cmd: 'run ${PORT}', aliases: [first]}\n"
    assert only(problems(twice)).message == "duplicate alias first found in model: d."
    config = parse(MODELS + "  d: {cmd: 'run ${PORT}', aliases: [a]}\n")
    assert "which wins" in config.warnings[0].message
    assert config.resolve("a") == "a"


def test_an_unset_variable_is_one_problem_at_the_line_that_uses_it() -> None:
    text = """\
        startPort: ${env.BASE}
        models:
          m:
            cmd: |
              run ${PORT}
              -m ${env.FILE}
        """
    assert [(found.line, found.message) for found in problems(text)] == [
        (1, "environment variable 'BASE' is not set."),
        (6, "environment variable 'FILE' is not set."),
    ]


def test_a_file_that_is_yaml_only_after_the_environment_loads() -> None:
    text = "models:\n  a: {cmd: 'run ${PORT}', aliases: [${env.NAMES}]}\n"
    assert parse(text, {"NAMES": "x, y"}).models["a"].aliases == ("x", "y")
    found = only(problems(text))
    assert (found.line, found.message) == (2, "environment variable 'NAMES' is not set.")


@pytest.mark.parametrize("text", ["- a\n", "words\n", "3\n"])
def test_the_top_level_must_be_a_mapping(text: str) -> None:
    assert "the top level: expected a mapping" in only(problems(text)).message


def test_broken_yaml_and_duplicate_keys_have_their_line() -> None:
    assert only(problems("models: [\n")).line == 2
    found = problems("logLevel: info\nlogLevel: debug\nstartPort: 0\n")
    assert [problem.line for problem in found] == [2, 3]


# -- warnings ----------------------------------------------------------------------------------


@pytest.mark.top40(2, "unknown keys warn")
@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("globalTtl: 3", "unknown key 'globalTtl' is ignored. Did you mean 'globalTTL'?"),
        ("zzz: 3", "unknown key 'zzz' is ignored."),
        ("models: {m: {cmd: 'x ${PORT}', chekEndpoint: /}}", "Did you mean 'checkEndpoint'?"),
        ("groups: {g: {preload: [a]}}", "unknown key 'groups.g.preload' is ignored."),
        ("routing: {router: {settings: {group: {}}}}", "Did you mean 'groups'?"),
        (
            "models: {m: {cmd: 'x ${PORT}', healthCheckTimeout: 5}}",
            "healthCheckTimeout has no effect inside a model.",
        ),
        ("models: {m: {cmd: 'x ${PORT}', concurrencyLimit: -1}}", "concurrencyLimit -1 means 10."),
        ("models: {m: {cmd: 'x ${PORT}', env: [A]}}", "models.m.env[0] sets nothing."),
        ("models: {m: {proxy: 'http://h'}}", "model m: cmd cannot be run: empty command."),
        ('models: {m: {cmd: "x \'${PORT}"}}', "no closing quotation"),
        (
            "models: {m: {cmd: 'x -p ${PORT} -c 1 # small'}}",
            "model m: cmd has # as an argument: only whole lines are comments.",
        ),
        ("unloadTimeout: 7.5", "unloadTimeout: 7.5 means 7."),
        (
            "models: {m: {cmd: 'HOST=x ollama serve ${PORT}'}}",
            "model m: cmd begins with an assignment, but there is no shell.",
        ),
        (
            "models: {m: {cmd: 'x ${PORT}', cmdStop: 'a && b'}}",
            "model m: cmdStop has && as an argument, but there is no shell.",
        ),
        ("healthCheckTimeout: 3", "healthCheckTimeout 3 is too short, 15 is used."),
        ("logLevel: warning", "Did you mean 'warn'?"),
        ("logRequests: true", "logRequests is deprecated and has no effect."),
        ("hooks: {on_startup: {preload: [zz]}}", "unknown model 'zz' is not loaded."),
        ("groups: {(default): {}}", "the group name (default) is taken"),
    ],
)
def test_what_has_no_effect_is_said(text: str, warning: str) -> None:
    (found,) = parse(text).warnings
    assert warning in str(found)
    assert (found.severity, found.line) == ("warning", 1)


@pytest.mark.top40(6, "healthCheckTimeout at least 15")
def test_health_checks_wait_at_least_fifteen_seconds() -> None:
    assert parse("healthCheckTimeout: 3").health_check_timeout == 15


def test_the_reserved_comfyui_model_has_more_room() -> None:
    text = "models: {comfyui_auto: {cmd: 'x ${PORT}', concurrencyLimit: 3}}"
    assert parse(text).models["comfyui_auto"].concurrency_limit == 50
