"""A client process to be killed: posts a body and prints the answer as it comes.

Usage: ``python -m tests.e2e.streaming_client URL BODY``
"""

from __future__ import annotations

import sys
from urllib.request import Request, urlopen


def main() -> None:
    """Stream."""
    url, body = sys.argv[1:]
    request = Request(url, body.encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=60) as response:
        for line in response:
            print(line.decode(), end="", flush=True)


if __name__ == "__main__":
    main()
