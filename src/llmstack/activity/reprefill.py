"""Prompt tokens that were read again, although an earlier request of the session had them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmstack.activity.record import ActivityRow

#: Sessions that are remembered.
MOST: Final = 1000
#: Statuses of prompts that were read.
_READ = 200
#: Backends that read prompts on this machine; others' caches are their own business.
_HERE = ("", "local")


class Rereading:
    """For one event loop.

    A session's prompt begins as the one before it, which is what agents' prompts do. So of the
    tokens that the earlier prompt had and this one may have too, those that did not come from the
    cache were read again: because another model answers now, because the model was unloaded in
    between, because its cache was given to somebody else, or because the client changed the front
    of the prompt. ``min(earlier prompt, this prompt) - cached`` is therefore an estimate, and the
    most that it can have been. Only answers of models that run here, that say what was cached and
    whose session is known are counted; for others it is 0.
    """

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, int] = OrderedDict()

    def of(self, row: ActivityRow) -> int:
        """Take note of ``row``; the tokens that were read again for it."""
        usage = row.usage
        if not usage.found or row.backend not in _HERE or row.resp_status_code != _READ:
            return 0
        session = row.metadata.get("session")
        prompt = usage.input_tokens + usage.apart_tokens
        if not session or prompt <= 0:
            return 0
        before = self._prompts.pop(session, 0)
        self._prompts[session] = prompt
        if len(self._prompts) > MOST:
            self._prompts.popitem(last=False)
        if usage.cache_tokens < 0:
            return 0
        return max(min(before, prompt) - usage.cache_tokens, 0)
