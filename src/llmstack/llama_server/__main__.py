"""Run the embedded llama-server."""

import sys

from llmstack.llama_server.launcher import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
