"""Where a client's server is, and the token to show there."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from llmstack.errors import ClientNotConfigured

SCHEME = "llama-swap"
_EXAMPLE = "http://127.0.0.1:10101"


@dataclass(frozen=True, slots=True)
class Address:
    """The ``root`` URL without a slash at its end, and the ``token``; both may be empty.

    Management lives at ``root``, what the openai SDK speaks below ``v1``.
    """

    root: str = ""
    token: str = field(default="", repr=False)

    def check(self) -> None:
        """Look whether there is a root.

        Raises:
            ClientNotConfigured: there is none.
        """
        if not self.root:
            raise ClientNotConfigured(
                "the client has no URL",
                fix=f"Give one: LlamaSwap({_EXAMPLE!r}), or LlamaSwap.from_dsn(...).",
            )

    @property
    def headers(self) -> dict[str, str]:
        """What every request shows."""
        shown = {"accept": "application/json"}
        return shown | {"authorization": f"Bearer {self.token}"} if self.token else shown


def read_url(base_url: str, token: str | None) -> Address:
    """The address in ``base_url``: http or https, with a path or without; ``/v1`` at its end goes.

    An empty URL is no error until it is used.

    Raises:
        ClientNotConfigured: no such URL, or a token that no header can hold.
    """
    token = _sound(token or "")
    if not base_url:
        return Address("", token)
    where = _split(base_url, "base_url")
    if where.scheme not in ("http", "https"):
        raise ClientNotConfigured("base_url is not an http or https URL", fix=f"As in {_EXAMPLE}")
    if "@" in where.netloc:
        raise ClientNotConfigured(
            "base_url holds a user or a password", fix="Give the token as `token`."
        )
    path = where.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return Address(f"{where.scheme}://{where.netloc}{path}", token)


def read_dsn(dsn: str) -> Address:
    """The address in ``llama-swap://token@host:port[/path]``; always http, the token optional.

    The token is percent-decoded. Errors never quote the DSN, as it holds a secret.

    Raises:
        ClientNotConfigured: it is not of that form.
    """
    where = _split(dsn, "the DSN")
    if where.scheme != SCHEME:
        raise ClientNotConfigured(
            f"the DSN does not begin with {SCHEME}://", fix=f"Write {SCHEME}://token@host:port"
        )
    user, _, host = where.netloc.rpartition("@")
    if ":" in user or "@" in user:
        raise ClientNotConfigured(
            "the DSN's token holds a : or an @", fix="Write them as %3A and %40."
        )
    return read_url(f"http://{host}{where.path}", unquote(user))


def _split(url: str, name: str) -> SplitResult:
    """The parts of a URL that has a host and neither query nor fragment."""
    fix = f"Write it as in {_EXAMPLE}"
    try:
        where = urlsplit(url)
        host, port = where.hostname, where.port  # both check
    except ValueError:  # whose words quote the URL
        raise ClientNotConfigured(f"{name} is no URL", fix=fix) from None
    if not host or port == 0 or any(not ("!" <= letter <= "~") for letter in url):
        raise ClientNotConfigured(f"{name} names no host", fix=fix)
    if where.query or where.fragment:
        raise ClientNotConfigured(f"{name} has a query or a fragment", fix=fix)
    return where


def _sound(token: str) -> str:
    if not (token.isascii() and token.isprintable()):
        raise ClientNotConfigured(
            "the token is none", why="It has letters or line ends that no header can hold."
        )
    return token.strip()
