"""Prompt tokens that were read again, although an earlier request of the session had them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmstack.activity.record import ActivityRow

#: Sessions that are remembered; the one that began first goes.
MOST: Final = 1000
#: Prompts of a session that may grow side by side.
THREADS: Final = 4
#: Statuses of prompts that were read.
_READ = 200
#: Backends that read prompts on this machine; others' caches are their own business.
_HERE = ("", "local")


class Rereading:
    """For one event loop.

    A session's prompt begins as an earlier one, which is what agents' prompts do as they grow. So
    of the tokens that the earlier prompt had, those that did not come from the cache now were read
    again: because another model answers, because the model was unloaded in between, because its
    cache was given to somebody else, or because the client changed the front of the prompt.
    ``earlier prompt - cached`` is therefore an estimate, and the most that it can have been.

    The earlier prompt is the largest of the session's latest ones that is not larger than this one:
    a title or a sub-agent that goes by the name of the same session continues nothing that is
    larger, and neither does what a compaction has left. Only answers of models that run here, that
    say what was cached and whose session is known are counted; for others it is 0.
    """

    def __init__(self) -> None:
        #: Sizes of prompts in tokens, the latest first, by session.
        self._prompts: dict[str, list[int]] = {}

    def of(self, row: ActivityRow) -> int:
        """Take note of ``row``; the tokens that were read again for it."""
        usage = row.usage
        prompt = usage.input_tokens + usage.apart_tokens
        if prompt <= 0 or row.backend not in _HERE or row.resp_status_code != _READ:
            return 0
        session = row.metadata.get("session")
        if not session:
            return 0
        prompts = self._prompts
        sizes = prompts.get(session)
        if sizes is None:
            prompts[session] = [prompt]
            if len(prompts) > MOST:
                del prompts[next(iter(prompts))]
            return 0
        if len(sizes) == 1 and sizes[0] <= prompt:  # as a rule
            before = sizes[0]
            sizes[0] = prompt
        else:
            before = max((size for size in sizes if size <= prompt), default=0)
            others = (size for size in sizes if size != before)
            prompts[session] = [prompt, *others][:THREADS]
        cached = usage.cache_tokens
        return before - cached if 0 <= cached < before else 0
