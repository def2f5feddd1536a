"""One component on a local cluster: its objects in the cluster, its processes beside it, its webhooks in between."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.catalogue.objects import with_overrides
from knavtool.catalogue.subjects import is_object
from knavtool.engines.local.components import component_processes
from knavtool.engines.local.components.manifests import (
    API_SERVICE,
    DEFINITION,
    install,
    install_webhooks,
    remove_stale,
    withdraw,
)
from knavtool.engines.local.control_plane.health import origin
from knavtool.engines.local.processes import processes
from knavtool.engines.local.processes.complaint import blaming
from knavtool.engines.local.state import applied
from knavtool.render.manifests import ManifestSet
from knavtool.render.process_mode import ProcessModeObjects, render_for_process_mode, with_own_webhooks
from knavtool.settings.describing import options
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.catalogue.records import ProcessSpec
    from knavtool.engines.local.components.component_processes import ComponentProcesses
    from knavtool.engines.local.control_plane.awaited import Awaited
    from knavtool.kube.gateway import Gateway
    from knavtool.render.manifests import Manifest
    from knavtool.settings.settings import Settings
    from knavtool.settings.subject import Config


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
        if (config := self._config) is not None and any(is_object(one, config.object) for one in created):
            self._note_object()
        self.installed.set()
        return f"{len(created)} objects created" if len(rendered.objects) else ""

    async def resume(self, server_ready: asyncio.Event) -> None:
        """Take over what is in the cluster already, because it was saved with it."""
        await asyncio.to_thread(self.host.prepare)
        await server_ready.wait()
        self.installed.set()

    async def start(self, *, at_once: bool = False) -> str:
        """Start the processes that do not run, with the webhooks; returns where they are.

        A webhook whose server does not listen yet would let every request fail that it is asked about. One process
        follows the other, unless all that they make for each other is there already, so that they start `at_once`.
        """
        face = self.host.component.process
        if face is None:
            return ""
        first = face.webhooks is not None and face.webhooks.first
        if first:
            await install_webhooks(self.gateway, self._webhooks)
        alive = processes.running(self.host.files)
        starting = [process for process in face.processes if process.name not in alive]
        if at_once:
            async with task_group() as group:
                for process in starting:
                    group.create_task(self._start(process), name=f"start-{process.name}")
        else:
            for process in starting:
                await self._start(process)
        if not first:
            await install_webhooks(self.gateway, self._webhooks)
        return ", ".join(origin(self.host.ready_url(process)) for process in face.processes)

    async def reconfigure(self, name: str, blamed: Settings) -> None:
        """Start the process `name` again with its settings; without a name, write the configuration in an object.

        If it ends at once, those of the settings that are `blamed` are told as what may be why.
        """
        if not name and (config := self._config) is not None:
            rendered = await self._objects()
            (manifest,) = (one for one in rendered.objects if is_object(one, config.object))
            metadata = manifest["metadata"]
            resource = await self.gateway.discover(manifest["apiVersion"], manifest["kind"])
            await self.gateway.apply(resource, metadata["name"], manifest, namespace=metadata.get("namespace"))
            self._note_object()
        for process in self.host.component.processes:
            if process.name == name:
                await component_processes.stop(self.host.files, [name])
                await self._start(process, blamed)
                if self.host.component.lists_webhooks:
                    await install_webhooks(self.gateway, (await self._objects()).webhooks)

    async def remove(self) -> None:
        """Remove the objects while the processes can still tidy up after them, then webhooks, processes and files."""
        rendered = await self._objects()
        apis = [one for one in rendered.webhooks if one["kind"] == API_SERVICE]
        # First of all: no namespace goes while an API that the cluster is to pass on is not answered.
        await withdraw(self.gateway, apis)
        await withdraw(self.gateway, reversed(list(rendered.objects)))
        await withdraw(self.gateway, (one for one in rendered.webhooks if one not in apis))
        await component_processes.stop(self.host.files, [process.name for process in self.host.component.processes])
        if self.host.directory.is_dir():
            shutil.rmtree(self.host.directory)
        for name in (object_of(self.host.component.name), *(one.name for one in self.host.component.processes)):
            self.host.files.applied(name).unlink(missing_ok=True)

    async def _start(self, process: ProcessSpec, blamed: Settings | None = None) -> None:
        await remove_stale(self.gateway, process)
        files, kubectl = self.host.files, self.programs.get("kubectl")
        chosen = options(self.host.component.name, blamed or self.host.settings_of(process.name))
        with blaming(files, process.name, chosen):
            number = await self.host.start(
                process, self.programs[process.program], kubectl=kubectl, environment=self.environment
            )
            async with processes.watched(files, {process.name: number}):
                await self.awaited.healthy(files, process.name, self.host.ready_url(process))

    async def _objects(self) -> ProcessModeObjects:
        """What the cluster needs of the project's objects, with ours among them."""
        component = self.host.component
        if (face := component.process) is not None:
            await asyncio.to_thread(self.host.prepare)
            server = self.host.webhook_server()
            rendered = render_for_process_mode(
                self.theirs,
                server=server,
                apis=self.host.api_server(),
                keep=self.host.kept_webhooks(),
                keep_kinds=face.keep_kinds,
                drop_kinds=face.drop_kinds,
            )
            secrets = self.host.secrets() if face.certificates is not None else {}
            objects = self._configured(with_overrides(rendered.objects, face.overrides, secrets))
            return with_own_webhooks(ProcessModeObjects(objects=objects, webhooks=rendered.webhooks), server)
        overrides = component.manifest.overrides if component.manifest is not None else ()
        return ProcessModeObjects(objects=with_overrides(self.theirs, overrides), webhooks=ManifestSet())

    def _configured(self, objects: ManifestSet) -> ManifestSet:
        """The objects, with the settings in the one that has the component's configuration."""
        config = self._config
        if config is None or not self.host.settings.configures:
            return objects
        text = self.host.configuration({})
        return ManifestSet(
            tuple(
                {**one, "data": {**(one.get("data") or {}), config.key: text}} if is_object(one, config.object) else one
                for one in objects
            )
        )

    @property
    def _config(self) -> Config | None:
        """Where in an object the component's configuration is, None if it is in none."""
        face = self.host.component.process
        return face.config if face is not None and face.config is not None and face.config.object else None

    def _note_object(self) -> None:
        """Note with which settings the configuration in an object was written."""
        applied.save(self.host.files, object_of(self.host.component.name), self.host.settings.configuration())


def object_of(component: str) -> str:
    """The name under which the settings of a configuration in an object are noted; no process has such a name."""
    return f"{component}.object"
