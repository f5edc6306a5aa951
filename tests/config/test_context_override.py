"""An override changes the flags that it names and nothing else of a command."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmstack.config.command import split_command
from llmstack.config.context_override import (
    CommandContext,
    ContextOverride,
    overridden,
    read_command,
)

SERVER = "llama-server -m m.gguf"


def change(cmd: str, size: int | None = None, fit: bool | None = None, mode: str = "max") -> str:
    return overridden(cmd, ContextOverride(size, fit, mode))  # type: ignore[arg-type]


@pytest.mark.parametrize("flag", ["--ctx-size 4096", "-c 4096", "--ctx-size=4096", "-c=4096"])
def test_every_spelling_of_the_context_is_replaced_where_it_stands(flag: str) -> None:
    """The fork did not know ``-c=N``."""
    cmd = f"{SERVER} {flag} --jinja"
    assert change(cmd, 8192) == f"{SERVER} --ctx-size 8192 --jinja"
    assert read_command(cmd) == CommandContext(4096)


def test_without_a_flag_one_is_appended() -> None:
    assert change(f"{SERVER} -np 2", 8192) == f"{SERVER} -np 2 --ctx-size 8192"


def test_of_several_flags_one_is_left() -> None:
    cmd = f"{SERVER} -c 1 --jinja --ctx_size 2"
    assert read_command(cmd).ctx_size == 2
    assert change(cmd, 3) == f"{SERVER} --ctx-size 3 --jinja"


@pytest.mark.parametrize(
    "flags", ["--fit on -ngl 99 -ub 64", "--fit off", "--fit-ctx 4096", "-fit on -sm row -c 5"]
)
def test_fit_flags_of_the_user_survive_without_an_override(flags: str) -> None:
    """B21: they were stripped at every start."""
    cmd = f"{SERVER} {flags}"
    assert overridden(cmd, ContextOverride()) == cmd
    kept = [word for word in split_command(cmd) if word not in {"-c", "5"}]
    changed = split_command(change(cmd, 77))
    assert [word for word in changed if word not in {"--ctx-size", "77"}] == kept


def test_fit_off_is_written_because_left_out_it_means_on() -> None:
    cmd = f"{SERVER} --fit on --fit-ctx 9 -fitt 100 -c 7 -ngl 9"
    assert change(cmd, fit=False) == f"{SERVER} --fit off -c 7 -ngl 9"
    assert change(cmd, 8, fit=False) == f"{SERVER} --fit off --ctx-size 8 -ngl 9"


def test_fit_on_takes_away_what_would_switch_it_off() -> None:
    """``--cpu-moe`` has no value: the fork swallowed the next word."""
    cmd = f"{SERVER} -ngl 99 --cpu-moe --jinja -ncmoe 3 -ts 1,2 -ot x=CPU -ub 64 -sm row -c 100"
    rest = f"{SERVER} --jinja -ub 64 -sm row"
    assert change(cmd, fit=True) == f"{rest} -c 100 --fit on --fit-target 256"
    assert change(cmd, 200, True) == f"{rest} --ctx-size 200 --fit on --fit-target 256"
    assert change(cmd, 200, True, "min") == f"{rest} --fit on --fit-ctx 200 --fit-target 256"
    assert change(cmd, None, True, "min") == f"{rest} --fit on --fit-ctx 100 --fit-target 256"
    own = change(f"{SERVER} --fit-target 50 --fit-ctx 9", fit=True)
    assert own == f"{SERVER} --fit-target 50 --fit on --ctx-size 9"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", CommandContext()),
        ("--fit", CommandContext(fit=True)),
        ("--fit --jinja", CommandContext(fit=True)),
        ("--fit=off -c 9", CommandContext(9, fit=False)),
        ("--fit on --fit-ctx 8 -c 9", CommandContext(8, fit=True, mode="min")),
        ("--fit-ctx 8 -c 9", CommandContext(9)),
        ("--fit-ctx=8", CommandContext(8, mode="min")),
        ("-c all", CommandContext()),
    ],
)
def test_what_a_command_says_is_read(flags: str, said: CommandContext) -> None:
    assert read_command(f"{SERVER} {flags}") == said


def test_line_breaks_quotes_and_backslashes_stay() -> None:
    cmd = "/opt/llama-server \\\n  -m '/my models/a.gguf'\n  -c 4096 \\\n  --alias \"a b\"\n"
    changed = change(cmd, 9)
    words = ["/opt/llama-server", "-m", "/my models/a.gguf", "--ctx-size", "9", "--alias", "a b"]
    assert list(split_command(changed)) == words
    assert "'/my models/a.gguf'\n  --ctx-size 9" in changed


@pytest.mark.parametrize(
    ("script", "changed"),
    [
        ("llama-server -m x -c 4096", "llama-server -m x --ctx-size 9"),
        (
            "cd /a && exec llama-server -m $M > log 2>&1",
            "cd /a && exec llama-server --ctx-size 9 -m $M > log 2>&1",
        ),
        (
            "sleep 1; ./llama-server -np 2 -c $CTX | tee -c 5",
            "sleep 1; ./llama-server -np 2 --ctx-size 9 | tee -c 5",
        ),
    ],
)
def test_a_server_in_a_shell_s_script_is_found(script: str, changed: str) -> None:
    """And the shell's own ``-c`` is not a context."""
    words = split_command(shlex.join(["env", "A=1", "bash", "-lc", script, "x"]))
    result = change(shlex.join(words), 9)
    assert shlex.split(result) == ["env", "A=1", "bash", "-lc", changed, "x"]


def test_flags_of_programs_around_the_server_are_not_its() -> None:
    docker = "docker run -c 512 --name llama-server ghcr.io/ggml-org/llama.cpp:server-cuda -m x"
    assert change(docker, 9) == f"{docker} --ctx-size 9"
    assert change(f"{docker} -c 1", 9) == f"{docker} --ctx-size 9"
    wrapped = "env LD_LIBRARY_PATH=/opt/llama-server taskset -c 0 llama-server -m x"
    assert change(wrapped, 9) == f"{wrapped} --ctx-size 9"
    assert read_command(docker).ctx_size is None


@pytest.mark.parametrize("cmd", ["python -m vllm --model x", "sh -c 'run $1'", "ssh h run -c 5"])
def test_a_program_that_is_not_understood_is_not_given_flags(cmd: str) -> None:
    with pytest.raises(ValueError, match="llama-server"):
        change(cmd, 9)
    with pytest.raises(ValueError, match="llama-server"):
        change(f"{cmd} --ctx-size 4", fit=True)


def test_an_unknown_program_s_own_long_flag_is_replaced() -> None:
    assert change("python -m my_server --ctx-size=4", 9) == "python -m my_server --ctx-size 9"


WORDS = st.one_of(
    st.sampled_from(
        ["-c", "5", "--ctx-size", "--ctx-size=7", "-c=8", "--fit", "on", "off", "--fit-ctx", "-ub"]
    ),
    st.text(st.sampled_from("ab \t\n'\"\\$#=-|&é\u00a0"), max_size=6),
)


def is_comment(word: str) -> bool:
    """Whether a line of ``word`` is a comment to llama-swap, which does not mind quotes."""
    return any(line.lstrip().startswith("#") for line in word.split("\n"))


@given(st.lists(WORDS, max_size=8), st.integers(1, 10**6))
def test_only_the_named_flag_changes_whatever_the_words_are(tail: list[str], size: int) -> None:
    """Whatever is quoted how: words in order, without the context and its value, are the same."""
    argv = ["llama-server", *(word for word in tail if not is_comment(word)), "end"]
    cmd = shlex.join(argv)
    before = list(split_command(cmd))
    after = list(split_command(change(cmd, size)))
    assert read_command(change(cmd, size)).ctx_size == size or "--fit-ctx" in after
    at = after.index("--ctx-size")
    assert after[at + 1] == str(size)
    assert without_context(after) == without_context(before)


def _is_number(rest: list[str]) -> bool:
    return bool(rest) and (rest[0].startswith("$") or rest[0].strip().isdigit())


def without_context(argv: list[str]) -> list[str]:
    """The words that are not about the context, by the plainest possible reading."""
    kept, rest = [], list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--fit-ctx" and rest:
            kept += [word, rest.pop(0)]
        elif word == "--ctx-size" or (word == "-c" and _is_number(rest)):
            del rest[:1]
        elif not word.startswith(("--ctx-size=", "-c=")):
            kept.append(word)
    return kept


@given(st.lists(WORDS, max_size=8), st.sampled_from(["max", "min"]))
def test_an_override_applied_twice_is_the_same_as_once(tail: list[str], mode: str) -> None:
    """For command lines that llama-server would take: each flag has its number."""
    assume(all(_is_number(tail[at + 1 :]) for at, word in enumerate(tail) if word == "-c"))
    cmd = shlex.join(["llama-server", *(word for word in tail if not is_comment(word)), "end"])
    once = change(cmd, 9, fit=True, mode=mode)
    assert split_command(change(once, 9, fit=True, mode=mode)) == split_command(once)
