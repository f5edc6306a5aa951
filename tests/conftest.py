"""Fixtures that more than one package's tests use."""

import signal

from hypothesis import settings

pytest_plugins = ["tests.models.fixtures"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A run in the background ignores Ctrl-C, and so would all that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is the machine's business: it may be busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
