"""``llmstack swap`` on the command line: flags and exit statuses."""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from typing import TYPE_CHECKING

import pytest

from llmstack.cli import swap
from llmstack.config.swap import SwapConfig
from llmstack.errors import DaemonError
from llmstack.server import swap as server
from tests.cli.swaps import config

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def parse(*arguments: str) -> Namespace:
    """The options as the command reads them."""
    parser = ArgumentParser(prog="llmstack swap")
    swap.configure(parser)
    return swap.parse(parser, arguments)


@pytest.mark.top40(1, "every flag in both spellings")
@pytest.mark.parametrize(
    "arguments",
    [
        ["-config", "x", "-watch-config"],
        ["--config", "x", "--watch-config"],
        ["-config=x", "-watch-config=true"],
        ["--config=x", "--watch-config=T"],
        ["-config", "first", "-config", "x", "-watch-config=1"],
        ["-config", "x", "-watch-config", "positional", "-config", "y"],
        ["-config", "x", "-watch-config", "--", "-config", "y"],
    ],
)
def test_both_spellings_of_a_flag_mean_the_same(arguments: list[str]) -> None:
    """Top 40, 1: the flags of llama-swap as Go's flag package reads them."""
    read = parse(*arguments)
    assert (read.config, read.watch_config) == ("x", True)


@pytest.mark.top40(1, "every flag in both spellings")
def test_every_flag_of_llama_swap_is_read() -> None:
    texts = ("config", "config-dir", "listen", "tls-cert-file", "tls-key-file")
    read = parse(*(f"-{name}=<{name}>" for name in texts), "-watch-config", "-version")
    assert {name: getattr(read, name.replace("-", "_")) for name in texts} == {
        name: f"<{name}>" for name in texts
    }
    assert (read.watch_config, read.version) == (True, True)
    nothing = parse()
    assert {getattr(nothing, name.replace("-", "_")) for name in texts} == {""}
    assert (nothing.watch_config, nothing.version) == (False, False)


@pytest.mark.top40(1, ":8080, with TLS :8443")
@pytest.mark.parametrize(("tls", "address"), [(None, ":8080"), (("cert", "key"), ":8443")])
def test_without_an_address_it_is_8080_and_with_tls_8443(
    tls: tuple[str, str] | None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those ports may be somebody else's here, so that nothing is bound."""

    def wanted(text: str) -> tuple[str, int]:
        raise DaemonError(text)

    monkeypatch.setattr(server, "read_address", wanted)
    monkeypatch.setattr(server.SwapOptions, "tls", lambda _: tls)
    with pytest.raises(DaemonError) as asked:
        server.SwapServer(server.SwapOptions(None), SwapConfig(""), None)  # type: ignore[arg-type]
    assert asked.value.what == address


def test_a_value_may_look_like_a_flag_and_a_boolean_may_be_false() -> None:
    read = parse("-config", "-odd.yaml", "-watch-config", "-watch-config=false")
    assert (read.config, read.watch_config) == ("-odd.yaml", False)
    assert parse("-config=").config == ""
    assert parse("-listen=a=b").listen == "a=b"


@pytest.mark.top40(1, "exit 2")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-confg", "x"], "flag provided but not defined: -confg"),
        (["-conf", "x"], "flag provided but not defined: -conf"),
        (["-config"], "flag needs an argument: -config"),
        (["-watch-config=maybe"], 'invalid boolean value "maybe" for -watch-config'),
        (["---config", "x"], "bad flag syntax: ---config"),
        (["-=x"], "bad flag syntax: -=x"),
    ],
)
def test_wrong_usage_exits_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Top 40, 1: exit status 2 and the usage on standard error."""
    with pytest.raises(SystemExit) as ended:
        parse(*arguments)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert "usage: llmstack swap" in shown.err
    assert shown.out == ""


@pytest.mark.top40(1, "exit 0")
@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
def test_help_exits_0(flag: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(flag)
    assert ended.value.code == 0


@pytest.mark.top40(1, "exit 0")
@pytest.mark.parametrize("flag", ["-version", "--version"])
def test_the_version_is_one_line_in_the_form_of_llama_swap(
    flag: str, command: Callable[..., Outcome]
) -> None:
    outcome = command("swap", flag)
    assert outcome.status == 0
    words = outcome.out.split()
    assert words[0] == "version:"
    assert words[2].startswith("(")
    assert outcome.out.count("\n") == 1
    assert "built at" in outcome.out


@pytest.mark.top40(1, "exit 1")
def test_without_a_configuration_it_exits_1(command: Callable[..., Outcome]) -> None:
    outcome = command("swap")
    assert outcome.status == 1
    assert "-config" in outcome.err


def test_a_configuration_that_is_not_there_exits_1(command: Callable[..., Outcome]) -> None:
    outcome = command("swap", "-config", "none.yaml")
    assert outcome.status == 1
    assert "none.yaml" in outcome.err


@pytest.mark.top40(1, "exit 1")
@pytest.mark.parametrize("flag", ["-tls-cert-file", "-tls-key-file"])
def test_half_a_tls_pair_exits_1(
    flag: str, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a"))
    outcome = command("swap", "-config", "config.yaml", flag, "some.pem")
    assert outcome.status == 1
    assert "both" in outcome.err


def test_a_certificate_that_is_none_exits_1(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a"))
    files = ["-tls-cert-file", "config.yaml", "-tls-key-file", "config.yaml"]
    outcome = command("swap", "-config", "config.yaml", *files)
    assert outcome.status == 1
    assert "cannot be used for TLS" in outcome.err


@pytest.mark.top40(1, "exit 1")
def test_a_taken_port_exits_1_and_names_its_holder(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a"))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        outcome = command("swap", "-config", "config.yaml", "-listen", address)
    assert outcome.status == 1
    assert "is taken by" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("address", ["8080", "127.0.0.1:http", "::1:80", "127.0.0.1:99999", "x:"])
def test_what_is_no_address_exits_1(
    address: str, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a"))
    outcome = command("swap", "-config", "config.yaml", "-listen", address)
    assert outcome.status == 1
    assert "Traceback" not in outcome.err


def test_an_address_of_the_network_is_refused_without_keys(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    """Decision 5: loopback by default; opening to the network requires keys."""
    (tmp_path / "config.yaml").write_text(config("a"))
    outcome = command("swap", "-config", "config.yaml", "-listen", "0.0.0.0:0")
    assert outcome.status == 1
    assert "apiKeys" in outcome.err
    assert "-insecure" in outcome.err


@pytest.mark.parametrize("lone", [["-running", "a"], ["-json"]])
def test_a_flag_that_only_others_need_is_not_passed_over(
    lone: list[str], command: Callable[..., Outcome]
) -> None:
    outcome = command("swap", "-config", "config.yaml", *lone)
    assert outcome.status == 1
    assert f"{lone[0]} says nothing without" in outcome.err
