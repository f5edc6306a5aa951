"""What can be looked at and set at run time, and what that does to running processes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.context_settings import ContextSettings
from llmstack.config.problems import Problem
from llmstack.config.swap import Peer
from llmstack.context.settings import Window
from llmstack.errors import BadRequest, ConfigError
from llmstack.server.overrides import Overrides
from tests.server.conftest import free_ports
from tests.server.context_house import FIT, POLICY, SIZE, members, server
from tests.server.house import error_of, fake, release, running, side_by_side, tier
from tests.server.test_access import bearer, key
from tests.server.wire import Wire, ask, chat, eventually, request_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path, anyio_backend: object) -> AsyncIterator[House]:
    one, two, odd = free_ports(3)
    flags = "--api-key sk-nobody-sees -c 4096 --fit off"
    swap = side_by_side(
        server(
            tmp_path,
            "one",
            one,
            flags,
            aliases=("uno", "my/uno"),
            context=ContextSettings(),
        ),
        server(tmp_path, "org/two", two),
        fake("odd", odd),
    )
    async with running(tmp_path, swap) as house:
        yield house


async def pid(house: House, model: str) -> int:
    return int((await ask(house.door, "GET", f"/upstream/{model}/x")).json()["pid"])


async def test_the_context_is_told_as_configured_set_effective_and_served(house: House) -> None:
    """B19: the fork answered 0 for a configured context, and forgot what was set."""
    keys = ("model", "ctxSize", "configured", "override", "effective", "actual")
    url = SIZE.format("uno")
    got = await ask(house.door, "GET", url)
    assert members(got, *keys) == ("one", 4096, 4096, None, 4096, None)
    house.stack.control.window = lambda _: Window(2048, "served")
    got = await ask(house.gateway, "POST", url, {"ctxSize": 8192})
    assert members(got, "msg", *keys)[1:] == ("one", 8192, 4096, 8192, 8192, 2048)
    assert members(got, "persisted", "pending_restart") == (True, False)
    got = await ask(house.door, "DELETE", url)
    assert members(got, *keys) == ("one", 4096, 4096, None, 4096, 2048)


@pytest.mark.parametrize("name", ["org/two", "org%2Ftwo", "my/uno"])
async def test_names_with_slashes_are_reached(house: House, name: str) -> None:
    """B12: ids with a slash were no route, however they were written."""
    for url in (SIZE, FIT, POLICY):
        got = await ask(house.door, "GET", url.format(name))
        assert members(got, "model") == ("one" if name == "my/uno" else "org/two",)
    latest = await ask(house.door, "GET", f"{POLICY.format(name)}/latest")
    assert (latest.status, "fitted" in error_of(latest)[1]) == (404, True)


async def test_the_command_of_the_next_start_is_shown_without_its_secrets(house: House) -> None:
    got = await ask(house.door, "POST", FIT.format("one"), {"fit": True, "mode": "min"})
    (command,) = members(got, "command")
    assert isinstance(command, str)
    assert command.endswith("--fit on --fit-ctx 4096 --fit-target 256")
    assert "--api-key" in command
    assert b"sk-nobody-sees" not in got.body
    assert members(got, "fit", "mode", "configured", "override") == (
        True,
        "min",
        {"fit": False, "mode": "max"},
        {"fit": True, "mode": "min"},
    )


async def test_what_is_set_waits_for_the_next_start(house: House) -> None:
    """A running process goes on as it is, and it is said that it is not yet what was set."""
    first = await pid(house, "one")
    got = await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9})
    assert members(got, "pending_restart", "effective") == (True, 9)
    assert await pid(house, "one") == first
    shown = (await ask(house.door, "GET", "/running")).json()["running"][0]["cmd"]
    assert shown.endswith("-c 4096 --fit off"), "what runs, not what will"
    fit = await ask(house.door, "GET", FIT.format("one"))
    assert members(fit, "actual", "pending_restart") == ({"fit": False, "mode": "max"}, True)
    await ask(house.door, "POST", "/api/models/unload/one")
    assert await pid(house, "one") != first
    shown = (await ask(house.door, "GET", "/running")).json()["running"][0]["cmd"]
    assert shown.endswith("--ctx-size 9 --fit off")
    got = await ask(house.door, "GET", SIZE.format("one"))
    assert members(got, "pending_restart") == (False,)


async def test_a_change_for_one_model_leaves_the_others_alone(house: House) -> None:
    other = await pid(house, "org/two")
    await ask(house.door, "POST", f"{SIZE.format('one')}?apply=restart", {"ctxSize": 9})
    await ask(house.door, "POST", SIZE.format("org/two"), {"ctxSize": 9})
    await ask(house.door, "POST", f"{SIZE.format('one')}?apply=restart", {"ctxSize": 10})
    assert await pid(house, "org/two") == other


async def test_a_restart_waits_for_running_answers(house: House) -> None:
    """No answer is cut; then the process is replaced without anybody's asking for it."""
    first = await pid(house, "one")
    port = int(house.engine.config.models["one"].proxy.rpartition(":")[2])
    async with Wire(house.gateway) as wire:
        body = json.dumps(chat("one", stream=True, tokens=2, paced=True)).encode()
        kind = [("Content-Type", "application/json")]
        await wire.send(request_bytes("POST", "/v1/chat/completions", kind, body))
        await eventually(lambda: house.in_flight("one") == 1)
        got = await ask(house.door, "POST", f"{SIZE.format('one')}?apply=restart", {"ctxSize": 9})
        assert members(got, "pending_restart", "override") == (True, 9)
        await release(port, 1)
        got = await ask(house.door, "GET", SIZE.format("one"))
        assert members(got, "pending_restart") == (True,)
        assert house.state("one") == "ready"
        await release(port, 1)
        answer = await wire.answer()
        assert answer.complete
        assert b"[DONE]" in answer.body
    await eventually(lambda: house.state("one") == "ready" and not pending(house, "one"))
    assert await pid(house, "one") != first


def pending(house: House, model: str) -> bool:
    return house.stack.control.pending_restart(model)


async def test_setting_it_back_before_the_restart_spares_the_process(house: House) -> None:
    first = await pid(house, "one")
    await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9})
    got = await ask(house.door, "DELETE", f"{SIZE.format('one')}?apply=restart")
    assert members(got, "pending_restart", "override") == (False, None)
    assert await pid(house, "one") == first


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (SIZE, {"ctxSize": 0}),
        (SIZE, {"ctxSize": -5}),
        (SIZE, {"ctxSize": True}),
        (SIZE, {"ctxSize": 2**31}),
        (SIZE, {"ctxSize": "4096"}),
        (SIZE, {}),
        (SIZE, []),
        (SIZE, b"{"),
        (SIZE, {"ctxSize": 5, "apply": "now"}),
        (FIT, {"fit": "on"}),
        (FIT, {"fit": True, "mode": "some"}),
        (POLICY, {}),
        (POLICY, {"policy": "auto"}),
        (POLICY, {"policy": None, "truncationMode": 5}),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_changes(
    house: House, url: str, body: Any
) -> None:
    assert (await ask(house.door, "POST", url.format("one"), body)).status == 400
    assert not house.stack.control.overrides.all()
    assert not house.work.overrides.exists()


async def test_unknown_models_are_404_and_odd_programs_are_not_given_flags(house: House) -> None:
    for url in (SIZE, FIT, POLICY):
        assert (await ask(house.door, "GET", url.format("nobody"))).status == 404
    got = await ask(house.door, "POST", SIZE.format("odd"), {"ctxSize": 5})
    status, message = error_of(got)
    assert (status, "llama-server" in message) == (400, True)
    assert not house.stack.control.overrides.all()


async def test_a_policy_holds_for_the_next_request_and_below_its_headers(house: House) -> None:
    control = house.stack.control
    assert control.settings_for("one") == ContextSettings()
    body = {"policy": " Always ", "truncationMode": "strict_error"}
    got = await ask(house.door, "POST", POLICY.format("uno"), body)
    assert members(got, "model", "policy", "truncationMode", "pending_restart") == (
        "one",
        "always",
        "strict_error",
        False,
    )
    control.window = lambda _: Window(0)
    got = await ask(house.door, "GET", POLICY.format("uno"))
    assert got.json()["actual"]["policy"] == "off", "no window is known"
    control.window = lambda _: Window(4096, "configured")
    got = await ask(house.door, "GET", POLICY.format("uno"))
    assert got.json()["actual"]["policy"] == "always"
    assert got.json()["configured"]["policy"] == "limit_only"
    assert control.settings_for("one").truncation == "strict_error"
    ours, theirs = b"x-llmstack-context", b"x-llamaswap-prompt-optimization-policy"
    both = [(theirs, b"llm_assisted"), (ours, b"off, sliding_window")]
    assert control.settings_for("one", both) == ContextSettings("off")
    assert control.settings_for("one", both[:1]).policy == "llm_assisted"
    assert control.settings_for("one", [(ours, b"strict_error")]).policy == "always"
    for name in (ours, theirs):
        with pytest.raises(BadRequest, match="some"):
            control.settings_for("one", [(name, b"some")])
    got = await ask(house.door, "DELETE", POLICY.format("uno"))
    assert members(got, "policy", "override") == ("limit_only", None)


async def test_the_latest_report_is_answered_without_bodies_unless_asked(house: House) -> None:
    """B18: prompts are kept only on request."""
    url = f"{POLICY.format('one')}/latest"
    report = {"policy": "always", "applied": True, "note": "2 results cleared", "sent_tokens": 9}
    snapshots = house.stack.control.snapshots
    snapshots.bodies = lambda: False
    snapshots.keep("one", report, b'{"a": 1}', b'{"b": 2}')
    got = await ask(house.door, "GET", url)
    told = ("model", "policy", "applied", "note", "originalBody", "optimizedBody")
    assert members(got, *told) == ("one", "always", True, "2 results cleared", "", "")
    assert got.json()["report"]["sent_tokens"] == 9
    assert got.json()["updatedAt"].endswith("Z")
    snapshots.keep("one", report, b'{"a": 1}', b'{"b": 2}', asked=True)
    got = await ask(house.door, "GET", url)
    assert members(got, *told[-2:]) == ('{"a": 1}', '{"b": 2}')


async def test_what_is_set_survives_a_restart(tmp_path: Path) -> None:
    """So does what was set for a model that is not there now."""
    (port,) = free_ports(1)
    swap = side_by_side(server(tmp_path, "one", port))
    async with running(tmp_path, swap) as house:
        await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9})
        await ask(house.door, "POST", POLICY.format("one"), {"policy": "off"})
    told = json.loads(house.work.overrides.read_text())
    told["models"]["gone"] = {"ctx_size": 7}
    house.work.overrides.write_text(json.dumps(told))
    async with running(tmp_path, swap) as house:
        got = await ask(house.door, "GET", SIZE.format("one"))
        assert members(got, "override", "effective", "configured") == (9, 9, None)
        assert house.stack.control.settings_for("one").policy == "off"
        await ask(house.door, "DELETE", SIZE.format("one"))
    kept = Overrides(house.work.overrides).all()
    assert set(kept) == {"one", "gone"}
    assert kept["gone"].process.ctx_size == 7
    assert kept["one"].process.ctx_size is None


async def test_a_broken_file_is_put_aside_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "overrides.json"
    path.write_text('{"models": [')
    broken = Overrides(path)
    assert not broken.all()
    await broken.put("one", Overrides().of("one"))
    assert json.loads(path.read_text()) == {"version": 1, "models": {}}
    assert (tmp_path / "overrides.json.unreadable").read_text() == '{"models": ['


async def test_only_admins_may_look_and_set(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    swap = replace(
        side_by_side(server(tmp_path, "one", port)),
        api_keys=(key("all"), key("guest", name="guest", admin=False)),
    )
    async with running(tmp_path, swap) as house:
        for door in (house.door, house.gateway):
            for url in (SIZE.format("one"), "/api/config/path"):
                for headers, status in (
                    ([], 401),
                    (bearer("guest"), 403),
                    (bearer("all"), 200),
                ):
                    assert (await ask(door, "GET", url, headers=headers)).status == status


async def test_what_others_host_has_a_policy_but_no_command_line(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config = replace(
        side_by_side(server(tmp_path, "one", port)),
        peers={"away": Peer("away", "http://127.0.0.1:9", ("far/model",))},
    )
    async with running(tmp_path, config, tiers=[tier("one", "fast")]) as house:
        for name in ("away/far/model", "away%2Ffar%2Fmodel"):
            for url, body in ((SIZE, {"ctxSize": 5}), (FIT, {"fit": True})):
                got = await ask(house.door, "POST", url.format(name), body)
                assert (got.status, "read-only" in error_of(got)[1]) == (400, True)
            got = await ask(house.door, "GET", SIZE.format(name))
            assert members(got, "model", "ctxSize", "read_only") == ("away/far/model", 0, True)
            got = await ask(house.door, "POST", POLICY.format(name), {"policy": "off"})
            assert members(got, "model", "policy") == ("away/far/model", "off")
        assert house.stack.control.settings_for("away/far/model").policy == "off"


async def test_the_stack_says_where_it_is_configured_and_restarts_its_models(house: House) -> None:
    got = await ask(house.gateway, "GET", "/api/config/path")
    assert members(got, "configPath") == (str(house.work.models_ini),)
    assert (await ask(house.gateway, "POST", "/api/config/reload")).status == 409
    first = await pid(house, "one")
    await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9})
    assert members(await ask(house.gateway, "POST", "/api/restart"), "msg", "detail")
    await eventually(lambda: house.state("one") == "stopped")
    assert await pid(house, "one") != first
    got = await ask(house.door, "GET", SIZE.format("one"))
    assert members(got, "override", "pending_restart") == (9, False)


async def test_what_cannot_be_written_is_not_set(house: House, tmp_path: Path) -> None:
    control = house.stack.control
    (tmp_path / "a-file").write_text("")
    control.overrides.path = tmp_path / "a-file" / "overrides.json"
    got = await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9})
    assert (got.status, "cannot be kept" in error_of(got)[1]) == (500, True)
    assert not control.overrides.all()
    assert "-c 4096" in house.engine.config.models["one"].cmd


async def test_what_contradicts_the_rules_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ConfigError([Problem("rules", None, "The rules contradict themselves.")])

    monkeypatch.setattr(house.engine, "reconfigure", refuse)
    got = await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9})
    assert (got.status, "cannot be changed so" in error_of(got)[1]) == (400, True)
    got = await ask(house.door, "GET", SIZE.format("one"))
    assert members(got, "override", "effective") == (None, 4096)
    assert json.loads(house.work.overrides.read_text())["models"] == {}


async def test_changes_that_come_together_all_hold(house: House) -> None:
    """Each is made on what the one before left."""
    await asyncio.gather(
        ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 9}),
        ask(house.door, "POST", SIZE.format("org/two"), {"ctxSize": 8}),
        ask(house.door, "POST", POLICY.format("one"), {"policy": "off"}),
        ask(house.door, "POST", FIT.format("one"), {"fit": True}),
    )
    one, two = (house.stack.control.overrides.of(name) for name in ("one", "org/two"))
    assert (one.process.ctx_size, one.process.fit, one.policy) == (9, True, "off")
    assert two.process.ctx_size == 8
    assert "--ctx-size 8" in house.engine.config.models["org/two"].cmd
    assert "--ctx-size 9" in house.engine.config.models["one"].cmd


async def test_an_override_that_no_command_can_take_is_told_and_kept(tmp_path: Path) -> None:
    """The file may be older than the configuration."""
    (port,) = free_ports(1)
    (tmp_path / ".llmstack").mkdir()
    text = '{"models": {"odd": {"ctx_size": 9}, "bad": {"ctx_size": "9"}}}'
    (tmp_path / ".llmstack" / "overrides.json").write_text(text)
    async with running(tmp_path, side_by_side(fake("odd", port))) as house:
        got = await ask(house.door, "GET", SIZE.format("odd"))
        assert members(got, "override", "effective") == (9, None)
        assert "does not hold" in got.json()["problem"]
        assert (await ask(house.door, "GET", "/upstream/odd/x")).status == 200
        got = await ask(house.door, "DELETE", SIZE.format("odd"))
        assert members(got, "override") == (None,)
        assert "problem" not in got.json()
