"""Runs a command whose only network is the loopback interface.

Usage: ``python -m tests.e2e.loopback_only COMMAND...`` inside a fresh network namespace; ``wrap``
makes the whole command line.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
from functools import cache

#: Linux: get and set an interface's flags, and the flag that says it is up.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def wrap(command: list[str]) -> list[str] | None:
    """``command`` in a network namespace of its own, or None where that is not permitted."""
    namespace = _namespace()
    return [*namespace, sys.executable, "-m", __name__, *command] if namespace else None


@cache
def _namespace() -> tuple[str, ...] | None:
    unshare = shutil.which("unshare")
    for flags in (["--net"], ["--user", "--map-root-user", "--net"]):
        if not unshare:
            break
        attempt = (unshare, *flags)
        trial = [*attempt, sys.executable, "-c", "import socket; socket.if_nameindex()"]
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return attempt
    return None


def bring_up(interface: str = "lo") -> None:
    """Switch on an interface of this network namespace."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh22x", interface.encode(), 0)
        answer = fcntl.ioctl(handle, SIOCGIFFLAGS, request)
        flags = struct.unpack_from("h", answer, 16)[0]
        request = struct.pack("16sh22x", interface.encode(), flags | IFF_UP)
        fcntl.ioctl(handle, SIOCSIFFLAGS, request)


if __name__ == "__main__":
    bring_up()
    os.execvp(sys.argv[1], sys.argv[1:])
