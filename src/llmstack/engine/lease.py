"""The right to use a ready model for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.config.swap import SwapModel


class Lease:
    """Holds a model ready until ``release``; use as a context manager.

    ``waited`` is the seconds spent queueing and loading. Releasing twice does nothing.
    """

    __slots__ = ("_release", "model", "waited")

    def __init__(
        self, *, model: SwapModel, waited: float, release_once: Callable[[], None]
    ) -> None:
        self.model = model
        self.waited = waited
        self._release: Callable[[], None] | None = release_once

    @property
    def base_url(self) -> str:
        """Where the model listens, without a trailing slash."""
        return self.model.proxy.rstrip("/")

    def release(self) -> None:
        """Give the model back."""
        release, self._release = self._release, None
        if release:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
