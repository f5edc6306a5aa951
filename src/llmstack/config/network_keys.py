"""Keys of ``models.ini`` for who may connect to the gateway, and how."""

from __future__ import annotations

from llmstack.config.key import Key

NETWORK = (
    Key(
        "DEFAULT",
        "tls_cert_file",
        "path",
        "",
        "Certificate chain (PEM) with which the gateway serves.",
    ),
    Key("DEFAULT", "tls_key_file", "path", "", "Private key (PEM) of tls_cert_file."),
    Key(
        "DEFAULT",
        "allowed_hosts",
        "names, by commas",
        "",
        "Names, beside this machine's, under which the gateway may be asked for.",
    ),
    Key(
        "DEFAULT",
        "allowed_origins",
        "origins, by commas",
        "",
        "Origins, beside this machine's, whose web pages may ask.",
    ),
)
