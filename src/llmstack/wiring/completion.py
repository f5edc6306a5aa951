"""Completion of the command line, as static code for each shell.

What is completed comes from the commands' own parsers. Where a command takes a free argument or an
option takes a value, the shell completes file names as it always does.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.wiring.shell_quote import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.wiring.shell_quote import Shell


@dataclass(frozen=True, slots=True)
class Word:
    """A word that may be typed, and what may follow it.

    ``below`` are the words after a command. An option with ``valued`` is followed by one of
    ``values``, or by anything when there are none.
    """

    name: str
    help: str
    below: tuple[Word, ...] = ()
    valued: bool = False
    values: tuple[str, ...] = ()


def words_of(parser: argparse.ArgumentParser) -> tuple[Word, ...]:
    """What may be typed after the command that ``parser`` reads."""
    found: list[Word] = []
    for action in parser._actions:  # noqa: SLF001  (argparse offers no other way to look)
        if action.help == argparse.SUPPRESS:
            continue
        choices = tuple(map(str, action.choices or ()))
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {row.dest: row.help or "" for row in action._choices_actions}  # noqa: SLF001
            found += [
                Word(name, helps.get(name, ""), words_of(below))
                for name, below in action.choices.items()
            ]
        elif action.option_strings:
            valued = action.nargs != 0
            found += [
                Word(spelling, action.help or "", valued=valued, values=choices)
                for spelling in action.option_strings
            ]
        else:
            found += [Word(choice, "") for choice in choices]
    return tuple(found)


def completion(shell: Shell, commands: tuple[Word, ...]) -> str:
    """The code that teaches ``shell`` to complete ``llmstack``."""
    places = list(_places((), commands))
    match shell:
        case "bash":
            lines = _bash(places)
        case "zsh":
            lines = _zsh(places)
        case "fish":
            lines = _fish(places)
        case "powershell":
            lines = _powershell(places)
    return "\n".join([f"# llmstack's completion for {shell}; generated.", *lines]) + "\n"


#: The command words typed so far, joined by blanks, and what may come next.
Place = tuple[str, "tuple[Word, ...]"]


def _places(path: tuple[str, ...], words: tuple[Word, ...]) -> Iterator[Place]:
    yield " ".join(path), words
    for word in words:
        if not word.name.startswith("-") and (word.below or not path):
            yield from _places((*path, word.name), word.below)


def _bash(places: list[Place]) -> list[str]:
    return [
        "_llmstack_complete() {",
        "  local IFS=$' \\t\\n' word=${COMP_WORDS[COMP_CWORD]} where= words= index",
        "  COMPREPLY=()",
        "  for ((index = 1; index < COMP_CWORD; index++)); do",
        '    case "${where:+$where }${COMP_WORDS[index]}" in',
        f"      {_patterns('bash', places)})",
        '        where="${where:+$where }${COMP_WORDS[index]}" ;;',
        "    esac",
        "  done",
        '  case "$where/${COMP_WORDS[COMP_CWORD-1]}" in',
        *_posix_values("bash", places, "words=%s"),
        '    *) case "$where" in',
        *(
            f"      {quote('bash', where)}) words={quote('bash', _names(words))} ;;"
            for where, words in places
        ),
        "    esac ;;",
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -o bashdefault -o default -F _llmstack_complete llmstack",
    ]


def _zsh(places: list[Place]) -> list[str]:
    def described(words: tuple[Word, ...]) -> str:
        return " ".join(
            quote("zsh", word.name.replace(":", "\\:") + (f":{word.help}" if word.help else ""))
            for word in words
        )

    return [
        "#compdef llmstack",
        "_llmstack() {",
        "  local where= index",
        "  local -a found",
        "  for ((index = 2; index < CURRENT; index++)); do",
        '    case "${where:+$where }${words[index]}" in',
        f"      ({_patterns('zsh', places)})",
        '        where="${where:+$where }${words[index]}" ;;',
        "    esac",
        "  done",
        '  case "$where/${words[CURRENT-1]}" in',
        *_posix_values("zsh", places, "found=(${=:-%s})"),
        '    (*) case "$where" in',
        *(
            f"      ({quote('zsh', where)}) found=({described(words)}) ;;"
            for where, words in places
        ),
        "    esac ;;",
        "  esac",
        "  _describe llmstack found || _files",
        "}",
        'if [[ "${zsh_eval_context[-1]}" == loadautofunc ]]; then',
        '  _llmstack "$@"',
        "elif (( $+functions[compdef] )); then",
        "  compdef _llmstack llmstack",
        "fi",
    ]


def _fish(places: list[Place]) -> list[str]:
    known = " ".join(quote("fish", where) for where, _ in places if where)
    lines = [
        "function __llmstack_at",
        '    set -l where ""',
        "    for word in (commandline -opc)[2..-1]",
        '        set -l next (string trim -- "$where $word")',
        f'        contains -- "$next" {known}; and set where "$next"',
        "    end",
        '    test "$where" = "$argv[1]"',
        "end",
        "complete -c llmstack -e",
    ]
    for where, words in places:
        test = quote("fish", "__llmstack_at " + quote("fish", where))
        for word in words:
            line = f"complete -c llmstack -n {test}"
            if word.name.startswith("--"):
                line += f" -l {quote('fish', word.name[2:])}"
            elif word.name.startswith("-"):
                flag = "-s" if len(word.name) == 2 else "-o"
                line += f" {flag} {quote('fish', word.name[1:])}"
            else:
                line += f" -f -a {quote('fish', word.name)}"
            if word.valued:
                line += f" -x -a {quote('fish', ' '.join(word.values))}" if word.values else " -r"
            lines.append(f"{line} -d {quote('fish', word.help)}" if word.help else line)
    return lines


def _powershell(places: list[Place]) -> list[str]:
    # Texts of a name and its meaning, not pairs: a list of one pair would be that pair.
    def entries(words: list[str]) -> str:
        return f"@({', '.join(quote('powershell', word) for word in words)})"

    table = [
        f"        {quote('powershell', where)} = "
        + entries([f"{word.name} {word.help}".rstrip() for word in words])
        for where, words in places
    ]
    values = [
        f"        {quote('powershell', key)} = {entries(list(word.values))}"
        for key, word in _valued(places)
    ]
    return [
        "Register-ArgumentCompleter -Native -CommandName 'llmstack' -ScriptBlock {",
        "    param($wordToComplete, $commandAst, $cursorPosition)",
        "    $table = @{",
        *table,
        "    }",
        "    $values = @{",
        *values,
        "    }",
        "    $where = ''",
        "    $last = ''",
        "    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {",
        "        if ($element.Extent.EndOffset -ge $cursorPosition) { break }",
        "        $last = $element.Extent.Text",
        "        $next = ($where + ' ' + $last).Trim()",
        "        if ($table.ContainsKey($next)) { $where = $next }",
        "    }",
        "    $words = $table[$where]",
        "    $option = $where + '/' + $last",
        "    if ($values.ContainsKey($option)) { $words = $values[$option] }",
        "    foreach ($entry in $words) {",
        "        $name, $meaning = $entry -split ' ', 2",
        "        $fits = $name.StartsWith($wordToComplete, [System.StringComparison]::Ordinal)",
        "        if (-not $fits) { continue }",
        "        if (-not $meaning) { $meaning = $name }",
        "        $told = @($name, $name, 'ParameterValue', $meaning)",
        "        New-Object System.Management.Automation.CompletionResult -ArgumentList $told",
        "    }",
        "}",
    ]


def _names(words: tuple[Word, ...]) -> str:
    return " ".join(word.name for word in words)


def _patterns(shell: Shell, places: list[Place]) -> str:
    return "|".join(quote(shell, where) for where, _ in places if where)


def _valued(places: list[Place]) -> Iterator[tuple[str, Word]]:
    for where, words in places:
        for word in words:
            if word.valued:
                yield f"{where}/{word.name}", word


def _posix_values(shell: Shell, places: list[Place], assign: str) -> list[str]:
    opening = "(" if shell == "zsh" else ""
    return [
        f"    {opening}{quote(shell, key)}) {assign % quote(shell, ' '.join(word.values))} ;;"
        for key, word in _valued(places)
    ]
