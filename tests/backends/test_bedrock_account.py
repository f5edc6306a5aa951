"""W11: a tier whose profile, region or credentials are not there is told of, never a 500."""

from __future__ import annotations

import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.backends.bedrock_account import Account
from llmstack.errors import BackendFailed
from llmstack.hub.aws_profile import aws_problem
from tests.backends.bedrock_home import CLAUDE, ask, home, read
from tests.http1.certificate import self_signed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

TROUBLES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "profile": ({"profile": "absent"}, ("profile 'absent'", "aws_profile", "work")),
    "region": ({"profile": "nowhere"}, ("profile 'nowhere'", "no region", "aws_region")),
}


def _assert_unusable(error: BackendFailed, *said: str) -> None:
    assert (error.status, error.code, error.elsewhere) == (503, "backend_unusable", True)
    told = f"{error} {error.why} {error.fix}"
    assert all(word in told for word in said), told


@pytest.mark.parametrize(("where", "said"), TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_tier_that_cannot_work_is_unusable_before_any_request(
    where: dict[str, Any], said: tuple[str, ...], stream: bool
) -> None:
    """W11: nothing heavy is imported to find out, and nothing is sent."""
    async with home() as here:
        tier = here.tier(**where)
        health = tier.health()
        assert (health.state, health.usable) == ("unusable", False)
        assert all(word in health.why for word in said)
        with pytest.raises(BackendFailed) as failure:
            await tier.open(ask(stream=stream))
        _assert_unusable(failure.value, *said)
        assert [offered.name for offered in await tier.models()] == [CLAUDE]
        assert not here.server.calls


async def test_a_configuration_that_was_mended_is_used(amazon: Path) -> None:
    async with home() as here:
        tier = here.tier(profile="nowhere")
        assert not tier.health().usable
        config = amazon / "config"
        config.write_text(config.read_text().replace("output = json", "region = eu-north-1"))
        keys = amazon / "credentials"
        keys.write_text(keys.read_text().replace("[work]", "[nowhere]"))
        here.now += 6
        assert tier.health().state == "unknown"
        assert b"Hello" in await read(await tier.open(ask(stream=True)))
        assert here.server.call.region == "eu-north-1"


async def test_a_profile_without_credentials_is_unusable_once_it_was_asked(amazon: Path) -> None:
    (amazon / "credentials").write_text("")
    async with home() as here:
        tier = here.tier()
        assert tier.health().state == "unknown"
        with pytest.raises(BackendFailed) as failure:
            await tier.open(ask())
        _assert_unusable(failure.value, "credentials", "aws_profile")
        assert tier.health().state == "unusable"


async def test_a_login_that_is_over_says_how_to_renew_it(amazon: Path) -> None:
    """The cache of logins has no token of this one; nobody is asked."""
    (amazon / "credentials").write_text("")
    (amazon / "config").write_text(
        "[profile work]\nregion = eu-central-1\nsso_session = us\nsso_account_id = 123456789012\n"
        "sso_role_name = dev\n[sso-session us]\nsso_region = us-east-1\n"
        "sso_start_url = http://127.0.0.1:9/start\n"
    )
    async with home() as here:
        with pytest.raises(BackendFailed) as failure:
            await here.tier().open(ask())
        _assert_unusable(failure.value, "aws sso login")


async def test_a_code_that_only_a_person_has_is_not_asked_for(amazon: Path) -> None:
    """A daemon that asked on its terminal would wait for ever."""
    (amazon / "config").write_text(
        "[profile work]\nregion = eu-central-1\nsource_profile = default\n"
        "role_arn = arn:aws:iam::123456789012:role/dev\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
    )
    keys = amazon / "credentials"
    keys.write_text(keys.read_text().replace("[work]", "[other]"))
    async with home() as here:
        with pytest.raises(BackendFailed) as failure:
            await here.tier().open(ask())
        _assert_unusable(failure.value, "MFA code", "cannot be asked for")


async def test_a_program_may_give_the_credentials(amazon: Path) -> None:
    """The AWS chain is botocore's: programs, roles and logins as everywhere."""
    keys = '{"Version": 1, "AccessKeyId": "AKIAPROGRAM", "SecretAccessKey": "fake"}'
    program = amazon / "keys.py"
    program.write_text(f"print({keys!r})")
    (amazon / "credentials").write_text("")
    (amazon / "config").write_text(
        "[profile work]\nregion = eu-central-1\n"
        f'credential_process = "{sys.executable}" "{program}"\n'
    )
    async with home() as here:
        assert b"Hello" in await read(await here.tier().open(ask(stream=True)))
        assert here.server.call.key == "AKIAPROGRAM"


async def test_the_environment_may_give_the_credentials(
    amazon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (amazon / "config").unlink()
    (amazon / "credentials").unlink()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake")
    async with home() as here:
        tier = here.tier(profile="", region="us-east-1")
        assert b"Hello" in await read(await tier.open(ask(stream=True)))
        assert (here.server.call.key, here.server.call.region) == ("AKIAENVIRON", "us-east-1")


async def test_a_key_of_bedrocks_own_needs_no_other_credentials(
    amazon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``AWS_BEARER_TOKEN_BEDROCK``, over TLS only."""
    (amazon / "credentials").unlink()
    certificate = self_signed(amazon)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-key-of-its-own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with home(context) as here:
        assert b"Hello" in await read(await here.tier().open(ask(stream=True)))
        assert here.server.call.key == "a-key-of-its-own"


async def test_without_the_extra_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Importing fails, as where the extra is not installed."""
    absent = {"aiobotocore", "botocore"}
    for name in absent.union(name for name in sys.modules if name.partition(".")[0] in absent):
        monkeypatch.setitem(sys.modules, name, None)
    async with home() as here:
        tier = here.tier()
        assert tier.health().state == "unusable"
        assert "pip install 'llmstack[bedrock]'" in tier.health().why
        with pytest.raises(BackendFailed) as failure:
            await tier.open(ask(stream=True))
        _assert_unusable(failure.value, "pip install 'llmstack[bedrock]'")


def test_a_look_at_an_account_imports_nothing_of_amazons() -> None:
    """``status`` and the daemon's start look at every tier; the import takes 0.4 s."""
    look = (
        "import sys; from llmstack.backends import bedrock; "
        "from llmstack.hub.aws_profile import aws_problem; aws_problem('x', '', {}); "
        "sys.exit(not {'aiobotocore', 'botocore', 'aiohttp'}.isdisjoint(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", look], check=True)


@pytest.mark.parametrize(
    ("profile", "region", "environ", "said"),
    [
        ("work", "", {}, ""),
        ("other", "", {"AWS_DEFAULT_REGION": "x"}, ""),
        ("other", "", {}, "region"),
        ("keyed", "", {}, ""),
        ("spaced out", "", {}, ""),
        ("preview", "", {}, "profile"),
        ("", "", {}, ""),
        ("", "", {"AWS_PROFILE": "absent"}, "profile 'absent'"),
        ("", "", {"AWS_PROFILE": "absent", "AWS_DEFAULT_PROFILE": "work"}, ""),
        ("absent", "", {"AWS_PROFILE": "work"}, "profile 'absent'"),
        ("", "x", {"AWS_CONFIG_FILE": "/nowhere/at/all"}, ""),
        ("", "", {"AWS_CONFIG_FILE": "/nowhere/at/all"}, "region"),
    ],
)
def test_profiles_are_looked_up_as_botocore_does(
    amazon: Path, profile: str, region: str, environ: dict[str, str], said: str
) -> None:
    """Compared with the session that the account would get."""
    from botocore.exceptions import ProfileNotFound
    from botocore.session import Session

    (amazon / "config").write_text(
        "[default]\nregion = a\n[profile work]\nregion = b\n[preview]\nregion = c\n"
        "[profile 'spaced out']\nregion = d\n"
    )
    (amazon / "credentials").write_text("[other]\naws_access_key_id = a\n[keyed]\nregion = e\n")
    files = {
        "AWS_CONFIG_FILE": str(amazon / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(amazon / "credentials"),
    } | environ
    trouble = aws_problem(profile, region, files)
    assert said in trouble
    with pytest.MonkeyPatch.context() as patch:
        for name, value in files.items():
            patch.setenv(name, value)
        session = Session(profile=profile or None)
        try:
            session.get_scoped_config()
            usable = bool(region or session.get_config_variable("region"))
        except ProfileNotFound:
            usable = False
    assert usable == (not trouble)


@pytest.mark.parametrize("broken", ["[profile", "key = before any section\n", "[a]\n\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told_of(amazon: Path, broken: str) -> None:
    config = amazon / "config"
    config.write_bytes(broken.encode("latin-1"))
    trouble = aws_problem("work", "", {"AWS_CONFIG_FILE": str(config)})
    assert trouble.startswith("the AWS configuration cannot be read: ")


@pytest.mark.parametrize(
    ("endpoint", "here"),
    [
        ("http://127.0.0.1:8", True),
        ("http://[::1]:8/x", True),
        ("https://localhost", True),
        ("https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_which_endpoints_are_on_this_machine(endpoint: str, here: bool) -> None:
    assert Account(endpoint=endpoint).is_here == here
