"""Where an activity log is kept."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.activity import ActivityStore
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from llmstack.activity import Spend
    from llmstack.config.swap import SwapConfig

log = logging.getLogger(__name__)


def open_store(config: SwapConfig, fallback: Path | None, spend: Spend) -> ActivityStore:
    """The store that ``config`` names, else ``fallback``, else one in memory.

    Raises:
        LlmstackError: the configured store cannot be used.
    """
    if config.store_path:
        return ActivityStore(Path(config.store_path), spend=spend)
    if fallback:
        try:
            fallback.parent.mkdir(parents=True, exist_ok=True)
            return ActivityStore(fallback, spend=spend)
        except (LlmstackError, OSError) as error:
            log.warning(
                "the request log and what tiers have cost are kept in memory only, until the next"
                " start: %s; move %s away if it is broken",
                error,
                fallback,
            )
    return ActivityStore(rows=config.metrics_max_in_memory, spend=spend)
