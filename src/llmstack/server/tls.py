"""A certificate and its key, looked at before anything starts."""

from __future__ import annotations

import ssl

from llmstack.errors import DaemonError


def checked_tls(certificate: str, key: str, options: str) -> tuple[str, str] | None:
    """The two files if they can be used, None if there are none.

    ``options`` are what both are called where they are named.

    Raises:
        DaemonError: they are of no use.
    """
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise DaemonError("TLS needs a certificate and its key", fix=f"Give both, {options}.")

    def refuse() -> str:
        raise ValueError("the key has a password, and nobody is there to type it")

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=refuse)
    except (OSError, ValueError) as error:
        raise DaemonError(
            f"{certificate} and {key} cannot be used for TLS", why=str(error)
        ) from error
    return certificate, key
