"""One component on a local cluster: its objects in the cluster, its processes beside it, its webhooks in between."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.catalogue.objects import with_overrides
from knavtool.engines.local.components import component_processes
from knavtool.engines.local.components.manifests import DEFINITION, install, remove_stale, withdraw
from knavtool.engines.local.control_plane.health import origin
from knavtool.engines.local.processes import processes
from knavtool.render.manifests import ManifestSet
from knavtool.render.process_mode import ProcessModeObjects, render_for_process_mode, with_own_webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.catalogue.records import ProcessSpec
    from knavtool.engines.local.components.component_processes import ComponentProcesses
    from knavtool.engines.local.control_plane.awaited import Awaited
    from knavtool.kube.gateway import Gateway
    from knavtool.render.manifests import Manifest


@dataclass(slots=True)
class LocalComponent:
    """A component that is installed, started and removed; `installed` is set when its kinds are served.

    `definitions` are those of its kinds then, and `made_definitions` tells whether one of them is new.

    `theirs` are the objects of its project, as `project_objects` gives them; `awaited` remembers what did not come.
    """

    host: ComponentProcesses
    gateway: Gateway
    theirs: ManifestSet
    programs: Mapping[str, Path]
    environment: Mapping[str, str]
    awaited: Awaited
    installed: asyncio.Event = field(default_factory=asyncio.Event)
    definitions: tuple[Manifest, ...] = ()
    made_definitions: bool = False
    _webhooks: ManifestSet = field(default_factory=ManifestSet)

    async def install(self, server_ready: asyncio.Event) -> str:
        """Create the objects that are missing; returns what was done.

        Definitions of kinds are so large that a server that is still starting would be late with what others wait for.
        """
        rendered = await self._objects()
        self._webhooks = rendered.webhooks
        self.definitions = tuple(manifest for manifest in rendered.objects if manifest["kind"] == DEFINITION)
        if self.definitions:
            await server_ready.wait()
        manifest = self.host.component.manifest
        after = manifest.after if manifest and not self.host.component.process else ()
        unserved = [""]

        def last() -> str:
            return f"the API server does not serve {unserved[-1]}" if unserved[-1] else "its objects are not created"

        with self.awaited.waiting(self.host.component.name, last):
            created = await install(
                self.gateway, rendered.objects, after=after, heard=lambda reason: unserved.__setitem__(-1, reason)
            )
        self.made_definitions = any(manifest["kind"] == DEFINITION for manifest in created)
        self.installed.set()
        return f"{len(created)} objects created" if len(rendered.objects) else ""

    async def start(self) -> str:
        """Start the processes that do not run, one after the other, with the webhooks; returns where they are.

        A webhook whose server does not listen yet would let every request fail that it is asked about.
        """
        face = self.host.component.process
        if face is None:
            return ""
        first = face.webhooks is not None and face.webhooks.first
        if first:
            await install(self.gateway, self._webhooks)
        alive = processes.running(self.host.files)
        for process in face.processes:
            if process.name not in alive:
                await self._start(process)
        if not first:
            await install(self.gateway, self._webhooks)
        return ", ".join(origin(self.host.ready_url(process)) for process in face.processes)

    async def remove(self) -> None:
        """Remove the objects while the processes can still tidy up after them, then webhooks, processes and files."""
        rendered = await self._objects()
        await withdraw(self.gateway, reversed(list(rendered.objects)))
        await withdraw(self.gateway, rendered.webhooks)
        await component_processes.stop(self.host.files, [process.name for process in self.host.component.processes])
        if self.host.directory.is_dir():
            shutil.rmtree(self.host.directory)

    async def _start(self, process: ProcessSpec) -> None:
        await remove_stale(self.gateway, process)
        kubectl = self.programs.get("kubectl")
        number = await self.host.start(
            process, self.programs[process.program], kubectl=kubectl, environment=self.environment
        )
        async with processes.watched(self.host.files, {process.name: number}):
            await self.awaited.healthy(self.host.files, process.name, self.host.ready_url(process))

    async def _objects(self) -> ProcessModeObjects:
        """What the cluster needs of the project's objects, with ours among them."""
        component = self.host.component
        if (face := component.process) is not None:
            await asyncio.to_thread(self.host.prepare)
            server = self.host.webhook_server()
            rendered = render_for_process_mode(
                self.theirs,
                server=server,
                keep=face.webhooks.keep if face.webhooks is not None else None,
                keep_kinds=face.keep_kinds,
                drop_kinds=face.drop_kinds,
            )
            secrets = self.host.secrets() if face.certificates is not None else {}
            objects = with_overrides(rendered.objects, face.overrides, secrets)
            return with_own_webhooks(ProcessModeObjects(objects=objects, webhooks=rendered.webhooks), server)
        overrides = component.manifest.overrides if component.manifest is not None else ()
        return ProcessModeObjects(objects=with_overrides(self.theirs, overrides), webhooks=ManifestSet())
