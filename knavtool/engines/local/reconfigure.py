"""New settings for processes that run: each is started again with them, and with its former ones if it ends at once."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.engines.local.control_plane.awaited import Awaited
from knavtool.engines.local.control_plane.configured import configure
from knavtool.engines.local.control_plane.control_plane import replace_process, start_dead
from knavtool.engines.local.control_plane.readiness import API_SERVER, control_plane_health
from knavtool.engines.local.processes import processes
from knavtool.engines.local.processes.complaint import blaming
from knavtool.errors import KnavError
from knavtool.kube.connecting import connect
from knavtool.settings.describing import options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from knavtool.catalogue.records import Component
    from knavtool.engines.local.components.component import LocalComponent
    from knavtool.engines.local.settling import Changing
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.events import Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.settings.settings import Settings

_RESTORED_WITHIN = 60.0
_LOOK_EVERY = 1.0
# What the other processes of the control plane cannot do without.
_BELOW = frozenset({"etcd", API_SERVER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconfiguring:
    """What it takes; `local` makes a component with some settings, `ports` are all of the cluster's."""

    files: ClusterFiles
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    awaited: Awaited
    steps: Steps
    local: Callable[[Gateway, Component, Settings, Awaited], LocalComponent]

    async def apply(self, changes: Sequence[Changing], *, restore: bool = True) -> None:
        """Make the changes one after the other; unless `restore` is off, undo them all if one of them fails."""
        if not changes:
            return
        tried: list[Changing] = []
        async with connect(kubeconfig=self.files.kubeconfig, context=None) as gateway:
            try:
                if any(change.component is None for change in changes):
                    # An API server that is still starting ends if its etcd does.
                    await self._all_healthy()
                for change in changes:
                    tried.append(change)
                    with self.steps.step("cluster", change.title, "new settings" if change.after else "no settings"):
                        await self._start(gateway, change, change.after, self.awaited)
            except BaseException:
                if restore and tried:
                    await self._restore(gateway, tried)
                raise

    async def _restore(self, gateway: Gateway, changes: Sequence[Changing]) -> None:
        """Give processes their former settings back; what became of that is told, and no error."""
        names = ", ".join(dict.fromkeys(change.title for change in changes))
        verb = "runs with its" if len(changes) == 1 else "run with their"
        try:
            with self.steps.step("cluster", "former settings", names):
                async with asyncio.timeout(_RESTORED_WITHIN):
                    for change in reversed(changes):
                        await self._start(gateway, change, change.before, Awaited())
        except (KnavError, OSError) as error:
            why = error.message if isinstance(error, KnavError) else str(error) or f"not in {_RESTORED_WITHIN:g} s"
            again = f"`knavtool cluster up --name {self.files.name}` tries it again"
            self.steps.note(f"the former settings of {names} are not back: {why}; {again}", warning=True)
        else:
            self.steps.note(f"nothing has changed: {names} {verb} former settings", warning=True)

    async def _start(self, gateway: Gateway, change: Changing, settings: Settings, awaited: Awaited) -> None:
        blamed = settings.since(change.before)
        if change.component is not None:
            await self.local(gateway, change.component, settings, awaited).reconfigure(change.process, blamed)
            return
        files, name = self.files, change.process
        urls = control_plane_health(self.ports)
        configure(files, name, settings)
        with blaming(files, name, options(name, blamed)):
            await replace_process(files, name, gateway, environment=self.environment, replaced=set())
            async with processes.watched(files, {name: processes.recorded(files)[name]}):
                await awaited.healthy(files, name, urls[name])
        if name in _BELOW:
            await self._all_healthy()

    async def _all_healthy(self) -> None:
        """Wait until the whole control plane works, and start what has ended meanwhile; bounded by the caller."""
        for name, url in control_plane_health(self.ports).items():
            while True:
                start_dead(self.files, environment=self.environment)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self.awaited.healthy(self.files, name, url)
                        break
