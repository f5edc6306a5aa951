"""The numbers and switches of routing, as configured and as set at run time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from llmstack.config.keys import KEYS
from llmstack.config.numbers import MAX_TOKENS
from llmstack.config.read_settings import ceilings_fault
from llmstack.errors import BadRequest, ModelNotFound, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.config.stack import Routing
    from llmstack.server.ladders import Ladders
    from llmstack.server.overrides import Overrides

log = logging.getLogger(__name__)

#: A value of a setting.
Value = bool | int | float


@dataclass(frozen=True, slots=True)
class Setting:
    """One that may be changed while the daemon runs; ``name`` is its key in ``[ROUTING]``."""

    name: str
    label: str
    kind: Literal["integer", "boolean"]
    unit: str = ""
    least: int | None = None
    most: int | None = None

    @property
    def key(self) -> str:
        """What clients call it."""
        return f"routing.{self.name}"

    @property
    def help(self) -> str:
        """What ``docs/reference/models-ini.md`` says of it."""
        return next(key.meaning for key in KEYS if (key.section, key.name) == _key(self.name))

    def check(self, value: object) -> Value:
        """``value`` if it is one of this setting's. Raises BadRequest."""
        if self.kind == "boolean":
            if isinstance(value, bool):
                return value
            raise BadRequest(f"{self.key} must be true or false")
        least, most = self.least or 0, self.most or MAX_TOKENS
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
            raise BadRequest(f"{self.key} must be a whole number", why=f"From {least} to {most}.")
        if not least <= value <= most:
            raise BadRequest(f"{self.key} must be from {least} to {most}")
        return int(value)


def _key(name: str) -> tuple[str, str]:
    return "ROUTING", name


SETTINGS: Final = (
    Setting("high_fidelity_ceiling", "Ceiling of the ultra tier", "integer", "tokens", 0),
    Setting("mid_fidelity_ceiling", "Ceiling of the agent tier", "integer", "tokens", 0),
    Setting("multi_turn", "Turns that call for the agent tier", "integer", "turns", 1, 10_000),
    Setting("sticky", "Mind what a switch costs", "boolean"),
    Setting("switch_cost_limit", "Most that a switch may cost", "integer", "s", 0, 86_400),
)
_BY_KEY: Final = {setting.key: setting for setting in SETTINGS}


class RoutingSettings:
    """What ``ladders`` go by: the configured numbers, and over them what was set at run time.

    Without ``ladders`` (``llmstack swap``) there is nothing to set. ``changed`` is told the key of
    every setting that was changed.
    """

    def __init__(
        self,
        overrides: Overrides,
        ladders: Ladders | None = None,
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._overrides = overrides
        self._ladders = ladders
        self._changed = changed
        self._configured: Routing | None = None
        self._changing = asyncio.Lock()
        if ladders is not None:
            self._configured = ladders.stack.routing
            self._begin(ladders)

    @property
    def persisted(self) -> bool:
        """Whether what is set survives a restart."""
        return self._overrides.path is not None

    def rows(self) -> list[dict[str, Any]]:
        """Every setting."""
        return [] if self._ladders is None else [self.row(setting.key) for setting in SETTINGS]

    def row(self, key: str) -> dict[str, Any]:
        """One setting as clients get it. Raises ModelNotFound for one that there is not."""
        setting = self._setting(key)
        assert self._ladders is not None
        return {
            "key": setting.key,
            "label": setting.label,
            "help": setting.help,
            "type": setting.kind,
            "min": setting.least,
            "max": setting.most,
            "unit": setting.unit,
            "configured": getattr(self._configured, setting.name),
            "override": self._overrides.settings.get(setting.key),
            "effective": getattr(self._ladders.stack.routing, setting.name),
        }

    async def put(self, key: str, value: object) -> dict[str, Any]:
        """Set it; None goes by the configuration again. The next request is routed by it.

        Raises:
            ModelNotFound: there is no such setting.
            BadRequest: that is no value of it, or it contradicts another one.
            RequestError: the file of the overrides cannot be written.
        """
        setting = self._setting(key)
        assert self._ladders is not None
        sound = None if value is None else setting.check(value)
        async with self._changing:
            others = {name: one for name, one in self._overrides.settings.items() if name != key}
            routing = self._with(others if sound is None else {**others, key: sound})
            if fault := ceilings_fault(routing):
                raise BadRequest(fault, fix="Change the other one first.")
            try:
                await self._overrides.put_setting(key, sound)
            except OSError as error:
                raise self._not_kept(error) from error
            self._ladders.adopt(routing)
        self._changed(key)
        return self.row(key)

    async def reset_all(self) -> None:
        """Go by the configuration again in everything.

        Raises:
            RequestError: the file of the overrides cannot be written.
        """
        async with self._changing:
            keys = tuple(self._overrides.settings)
            try:
                for key in keys:
                    await self._overrides.put_setting(key, None)
            except OSError as error:
                raise self._not_kept(error) from error
            if self._ladders is not None and self._configured is not None:
                self._ladders.adopt(self._configured)
        for key in keys:
            self._changed(key)

    def _not_kept(self, error: OSError) -> RequestError:
        why = f"{self._overrides.path}: {error.strerror}"
        return RequestError("what was set cannot be kept", why=why)

    def _begin(self, ladders: Ladders) -> None:
        """Go by what an earlier run has set, unless the configuration has moved away under it."""
        try:
            routing = self._with(self._overrides.settings)
        except BadRequest as error:
            log.warning("what was set of routing at run time does not hold: %s", error)
            return
        if fault := ceilings_fault(routing):
            log.warning("what was set of routing at run time does not hold: %s", fault)
        elif routing != ladders.stack.routing:
            ladders.adopt(routing)

    def _with(self, overrides: Mapping[str, Value]) -> Routing:
        assert self._configured is not None
        known = {
            _BY_KEY[key].name: _BY_KEY[key].check(value)
            for key, value in overrides.items()
            if key in _BY_KEY
        }
        return replace(self._configured, **known)  # type: ignore[arg-type]

    def _setting(self, key: str) -> Setting:
        setting = _BY_KEY.get(key) if self._ladders is not None else None
        if setting is None:
            raise ModelNotFound("there is no such setting", fix="GET /api/settings lists them.")
        return setting
