"""The option that chooses a channel, as several commands have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_channel(parser: ArgumentParser) -> None:
    """Add ``--current`` and ``--next``; the choice is ``channel``."""
    channel = parser.add_mutually_exclusive_group()
    channel.add_argument(
        "--current",
        dest="channel",
        action="store_const",
        const="current",
        help="use the usual models (default)",
    )
    channel.add_argument(
        "--next", dest="channel", action="store_const", const="next", help="use the *_next models"
    )
    parser.set_defaults(channel="current")
