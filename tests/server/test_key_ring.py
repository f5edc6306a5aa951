"""Keys in force: read at the start, kept when a file breaks, gone when they are revoked."""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from llmstack.config.local_key import ensure_local_key, read_local_key
from llmstack.config.workdir import WorkDir
from llmstack.errors import ConfigError, DaemonError
from llmstack.server.key_file import KeyRefused, NoSuchKey, add_key, read_keys, revoke_key
from llmstack.server.key_ring import KeyRing

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="modes are kept elsewhere there")


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


def found(ring: KeyRing, secret: str, *, local: bool = False) -> str:
    key = ring.find(secret.encode(), local=local)
    return key.name if key else ""


def test_a_key_is_shown_once_and_kept_as_its_digest(work: WorkDir) -> None:
    secret, key = add_key(work.keys, "laptop", now=100.9, models=("auto",), rate=5)
    assert len(secret) > 43
    assert secret.startswith(key.prefix)
    assert read_keys(work.keys) == (key,)
    assert key.created == 100
    assert secret not in work.keys.read_text()
    assert sha256(secret.encode()).hexdigest() in work.keys.read_text()


@posix
def test_the_files_are_their_owners_only(work: WorkDir) -> None:
    add_key(work.keys, "a", now=0)
    assert work.keys.stat().st_mode & 0o777 == 0o600
    key = ensure_local_key(work)
    assert work.local_key.stat().st_mode & 0o777 == 0o600
    work.local_key.chmod(0o644)
    assert ensure_local_key(work) == key == read_local_key(work)
    assert work.local_key.stat().st_mode & 0o777 == 0o600


def test_many_at_once_lose_nothing(work: WorkDir) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: add_key(work.keys, f"k{n}", now=0), range(40)))
    assert {key.name for key in read_keys(work.keys)} == {f"k{n}" for n in range(40)}
    assert len({secret for secret, _ in made}) == 40


def test_names_are_names_and_are_given_once(work: WorkDir) -> None:
    add_key(work.keys, "a", now=0)
    for name in ("a", "", "a b", "../a", "local", "LOCAL", "x" * 65, "a\n"):
        with pytest.raises(KeyRefused):
            add_key(work.keys, name, now=0)
    with pytest.raises(NoSuchKey, match="no key is called 'b'"):
        revoke_key(work.keys, "b")
    assert revoke_key(work.keys, "a").name == "a"
    assert read_keys(work.keys) == ()


def test_a_revoked_and_an_expired_key_are_unknown(work: WorkDir) -> None:
    now = [1000.0]
    brief, _ = add_key(work.keys, "brief", now=0, expires=1010)
    other, _ = add_key(work.keys, "other", now=0)
    ring = KeyRing(work, {}, now=lambda: now[0])
    assert (found(ring, brief), found(ring, other)) == ("brief", "other")
    now[0] = 1010.0
    assert found(ring, brief) == ""
    assert ring.required
    revoke_key(work.keys, "other")
    assert ring.refresh()
    assert found(ring, other) == ""
    assert not ring.usable()


def test_an_edit_by_hand_counts_and_a_broken_one_keeps_what_was(
    work: WorkDir, caplog: pytest.LogCaptureFixture
) -> None:
    secret, key = add_key(work.keys, "a", now=0)
    ring = KeyRing(work, {})
    for broken in ("", '{"keys": [', '{"keys": [{"name": "a", "shA256": "x"}]}', "[]"):
        work.keys.write_text(broken)
        with caplog.at_level(logging.WARNING, "llmstack.keys"):
            assert not ring.refresh()
        assert "the former keys stay in force" in caplog.text
        assert found(ring, secret) == "a"
    work.keys.unlink()
    assert not ring.refresh()
    assert found(ring, secret) == "a"
    assert ring.required
    work.keys.write_text(json.dumps({"keys": [{**key.to_json(), "name": "b"}]}))
    assert ring.refresh()
    assert found(ring, secret) == "b"


@posix
def test_a_file_that_is_suddenly_unreadable_keeps_what_was(work: WorkDir) -> None:
    secret, _ = add_key(work.keys, "a", now=0)
    ring = KeyRing(work, {})
    work.keys.unlink()
    work.keys.mkdir()
    assert not ring.refresh()
    assert found(ring, secret) == "a"


def test_a_broken_file_stops_the_start(work: WorkDir) -> None:
    work.state.mkdir()
    work.keys.write_text("{")
    with pytest.raises(ConfigError):
        KeyRing(work, {})
    work.keys.unlink()
    work.plain_keys.mkdir()
    with pytest.raises(DaemonError):
        KeyRing(work, {})


def test_a_config_json_stands_over_the_variable(work: WorkDir) -> None:
    """The behaviour report of the stack with an auth proxy, section 11."""
    environ = {"API_KEYS": "of-the-variable"}
    assert found(KeyRing(work, environ), "of-the-variable") == "env-1"
    made, _ = add_key(work.keys, "made", now=0)
    work.plain_keys.write_text('{"keys": ["of-the-file"]}')
    ring = KeyRing(work, environ)
    assert found(ring, "of-the-file") == "config-1"
    assert found(ring, made) == "made"
    assert found(ring, "of-the-variable") == ""
    work.plain_keys.write_text("[]")
    ring.refresh()
    assert found(ring, "of-the-variable") == "", "an empty one stands over it too"


@posix
def test_a_file_that_others_may_read_is_told(
    work: WorkDir, caplog: pytest.LogCaptureFixture
) -> None:
    work.state.mkdir()
    work.plain_keys.write_text('["a-key-in-the-clear"]')
    work.plain_keys.chmod(0o644)
    with caplog.at_level(logging.WARNING, "llmstack.keys"):
        KeyRing(work, {})
    assert "chmod 600" in caplog.text
    assert "a-key-in-the-clear" not in caplog.text


def test_this_machines_own_key_counts_here_only(work: WorkDir) -> None:
    own = ensure_local_key(work)
    ring = KeyRing(work, {}, local_key=own)
    assert not ring.required
    assert found(ring, own, local=True) == "local"
    assert found(ring, own) == ""
    assert ring.shows_own(own.encode())
    assert not ring.shows_own(b"")
    assert not KeyRing(work, {}).shows_own(b"")


def test_the_network_needs_a_key_when_none_is_left(work: WorkDir) -> None:
    add_key(work.keys, "a", now=0)
    ring = KeyRing(work, {}, open_to_network=True)
    revoke_key(work.keys, "a")
    ring.refresh()
    assert ring.keys == ()
    assert ring.required


def test_a_rate_is_the_keys_own_and_a_changed_one_begins_anew(work: WorkDir) -> None:
    clock = [0.0]
    one, slow = add_key(work.keys, "slow", now=0, rate=1)
    ring = KeyRing(work, {}, clock=lambda: clock[0])
    assert ring.wait_of(slow) == 0
    assert ring.wait_of(slow) == pytest.approx(60)
    clock[0] = 60.0
    assert ring.wait_of(slow) == 0
    entry = {**slow.to_json(), "rate": 2}
    work.keys.write_text(json.dumps({"keys": [entry]}))
    ring.refresh()
    faster = ring.find(one.encode(), local=False)
    assert faster is not None
    assert [ring.wait_of(faster) for _ in range(2)] == [0, 0]
    assert ring.wait_of(faster) > 0
