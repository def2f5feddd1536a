"""`cluster up` on the local engine: programs, control plane, components, context."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from knavtool.atomic import atomic_write
from knavtool.catalogue import gates
from knavtool.catalogue.objects import project_objects
from knavtool.engines.local.awaiting import Telling, new_kinds, service_account
from knavtool.engines.local.components import component_processes
from knavtool.engines.local.components.component import LocalComponent
from knavtool.engines.local.components.component_processes import ComponentProcesses, port_uses
from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.control_plane.audit import audit_args
from knavtool.engines.local.control_plane.awaited import Awaited
from knavtool.engines.local.control_plane.control_plane import unless_dead
from knavtool.engines.local.control_plane.readiness import API_SERVER, MADE_BEFORE, control_plane_health
from knavtool.engines.local.control_plane.settings import chosen
from knavtool.engines.local.down import stop
from knavtool.engines.local.leaving import leave
from knavtool.engines.local.plan import server_url
from knavtool.engines.local.processes.processes import tail
from knavtool.engines.local.readdressing import moved_ports, readdress
from knavtool.engines.local.reconfigure import Reconfiguring
from knavtool.engines.local.state import kubeconfig, record
from knavtool.engines.local.state.machine import meaning
from knavtool.engines.local.state.ports import Ports
from knavtool.engines.local.state.record import Record
from knavtool.errors import EngineError
from knavtool.kube.connecting import connect
from knavtool.render.manifests import ManifestSet
from knavtool.settings.settings import Settings
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from knavtool.catalogue.records import Component
    from knavtool.engines.local.plan import Plan, Wanted
    from knavtool.engines.local.saved import Saved
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.events import Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.toolchain.resolve import Toolchain


async def up(
    files: ClusterFiles,
    wanted: Wanted,
    plan: Plan,
    *,
    toolchain: Toolchain,
    environment: Mapping[str, str],
    timeout: float,
    steps: Steps,
    saved: Saved | None = None,
) -> None:
    """Do what the plan says, within `timeout` seconds once all programs are there; the caller holds the lock.

    A new one begins with what was `saved`. If it does not come up, or the work is cancelled, nothing of it is left.
    """
    # All that could be missing is fetched before anything is changed.
    changing = [(one.component, one.process) for one in plan.changing if one.component is not None]
    with_objects = [one for one, process in changing if not process or one.lists_webhooks]
    components = {one.name: one for one in (*plan.starting, *plan.leaving, *with_objects)}.values()
    async with task_group() as group:
        programs = group.create_task(toolchain.ensure(plan.programs, steps=steps))
        objects = {
            one.name: group.create_task(project_objects(one, one.local_objects, toolchain, steps=steps))
            for one in components
            if saved is None
        }
    theirs = {name: task.result() for name, task in objects.items()}
    awaited = Awaited()
    limit = asyncio.timeout(timeout)
    others = record.ports_of_all(files)
    with Ports(besides=others | {wanted.api_server_port or 0}) as ports:
        work = _Work(
            files, wanted, plan, toolchain, programs.result(), theirs, environment, ports, awaited, steps, saved
        )
        try:
            async with limit:
                if plan.record is None:
                    await work.create()
                else:
                    await work.repair(plan.record)
        except OSError as error:
            if not limit.expired():
                raise meaning(error, files) from error
            missing = awaited.missing()
            message = f"cluster {files.name} was not ready within {timeout:g} s" + (
                f"; it lacks\n{missing}" if missing else ""
            )
            raise EngineError(message, hint="if that only needs more time, give it more with --timeout") from None


@dataclass(frozen=True, slots=True)
class _Work:
    """One call of `up`: what it knows and what it may use; `theirs` are the objects of the components' projects."""

    files: ClusterFiles
    wanted: Wanted
    plan: Plan
    toolchain: Toolchain
    programs: Mapping[str, Path]
    theirs: Mapping[str, ManifestSet]
    environment: Mapping[str, str]
    ports: Ports
    awaited: Awaited
    steps: Steps
    saved: Saved | None

    @property
    def _telling(self) -> Telling:
        return Telling(self.awaited, self.steps)

    async def create(self) -> None:
        """Make a new cluster."""
        files = self.files
        # What is left of an earlier attempt that was killed, or of a cluster whose directory somebody removed.
        await stop(files)
        uses = port_uses(self.plan.starting)
        before = self.saved.record.ports if self.saved is not None else {}
        known = Record(
            feature_gates=self.wanted.feature_gates or "",
            runtime_config=self.wanted.runtime_config or "",
            tuning=self.wanted.tuning or "all",
            audit_log=self.wanted.audit_log or "off",
            ports=kwokctl.choose_ports(self.wanted.api_server_port, self.ports, uses, before),
            versions={name: self.toolchain.program(name).version for name in self.programs},
        )
        files.directory.mkdir(mode=0o700, parents=True)
        try:
            if self.saved is not None:
                self.saved.lay(files)
            record.save(files, known)
            kwokctl.write_tokens(files, server_url(known))
            config = kwokctl.configuration(
                files,
                self.programs,
                known.ports,
                feature_gates=gates.feature_gates(known.feature_gates, self.plan.components),
                runtime_config=gates.runtime_config(known.runtime_config, self.plan.components),
                groups=chosen(known.tuning),
                audit=audit_args(files) if known.audit_log == "on" else {},
                definitions=self.saved is None,
            )
            with self.steps.step("cluster", "control plane") as step:
                async with self._control_plane():
                    await kwokctl.create(self.programs["kwokctl"], files, config, environment=self.environment)
                step.message = server_url(known)
            await self._reconfigure(known, restore=False)
            await self._complete(replace(known, created=True))
        except BaseException:
            with self.steps.step("cluster", "tear-down", "of what was half started"):
                await stop(files)
            raise

    async def repair(self, known: Record) -> None:
        """Start what died, stop what is not wanted any more, and leave the rest alone."""
        files, plan = self.files, self.plan
        for use, why in plan.moved.items():
            self.steps.note(f"{use}: {why}; another one is used from now on", warning=True)
        new = [use for use in port_uses(plan.starting) if use not in known.ports or use in plan.moved]
        known = replace(known, ports={**known.ports, **self._ports(new)})
        if plan.dead:
            with self.steps.step("cluster", "control plane", f"{', '.join(plan.dead)} again"):
                # kwokctl takes the number in a pid file for the process, whoever has that number now.
                for name in plan.dead:
                    files.pid(name).unlink(missing_ok=True)
                async with self._control_plane():
                    await kwokctl.start(self.programs["kwokctl"], files, environment=self.environment)
        if plan.leaving:
            async with connect(kubeconfig=files.kubeconfig, context=None) as gateway:
                for one in reversed(plan.leaving):
                    component = self._component(gateway, one, ports=known.ports)
                    known = await leave(files, component, known, self._telling)
        await self._reconfigure(known, restore=True)
        # Those of components that are still to be started count when they have started.
        starting = {one.name for one in plan.starting}
        settings = {name: one for name, one in plan.settings.items() if name not in starting}
        settings |= {name: one for name, one in known.settled.items() if name in starting}
        await self._complete(replace(known, settings=record.settings_data(settings)))

    async def _reconfigure(self, known: Record, *, restore: bool) -> None:
        """Start those again whose settings have changed; `restore` their former ones if that fails."""
        work = Reconfiguring(
            files=self.files,
            ports=known.ports,
            environment=self.environment,
            awaited=self.awaited,
            steps=self.steps,
            local=partial(self._component, ports=known.ports),
        )
        await work.apply(self.plan.changing, restore=restore)

    async def _complete(self, known: Record) -> None:
        """What follows once the API server answers; all at the same time, and the context when all of it is well."""
        files, plan = self.files, self.plan
        # Saved before the processes start: whatever happens to this one, the next `up` and `down` know of them.
        known = record.begun(known, plan.starting)
        record.save(files, known)
        files.component_records.mkdir(mode=0o700, exist_ok=True)
        for one in plan.starting:
            atomic_write(files.component_record(one.name), json.dumps(one.written))
        component_processes.write_targets(
            files, {one.name: one.metrics for one in kwokctl.processes(files) if one.metrics}
        )
        components: dict[str, LocalComponent] = {}
        server_ready = asyncio.Event()
        async with (
            unless_dead(files, self.environment) as replaced,
            connect(kubeconfig=files.kubeconfig, context=None) as gateway,
            asyncio.TaskGroup() as group,
        ):
            if plan.record is None or plan.dead:
                moved = moved_ports(self.saved, known) if self.saved is not None else {}
                for name, url in control_plane_health(known.ports).items():
                    group.create_task(self._healthy(name, url, gateway, server_ready, moved))
                group.create_task(service_account(gateway, self._telling))
            else:
                server_ready.set()
            for one in plan.starting:
                before = [components[name] for name in (*one.needs, *one.after) if name in components]
                components[one.name] = self._component(gateway, one, ports=known.ports)
                group.create_task(self._start_component(components[one.name], before, server_ready))
            there = components.values()
            group.create_task(new_kinds(files, gateway, there, known.ports, self.environment, replaced, self._telling))
        known = replace(known, unfinished={}, settings=record.settings_data(plan.settings))
        record.save(files, known)
        if plan.add_context:
            self._add_context(known)

    def _component(
        self,
        gateway: Gateway,
        one: Component,
        settings: Settings | None = None,
        awaited: Awaited | None = None,
        *,
        ports: Mapping[str, int],
    ) -> LocalComponent:
        """A component with these settings, or those that it is to have."""
        chosen = settings if settings is not None else self.plan.settings.get(one.name, Settings())
        host, theirs = ComponentProcesses(self.files, one, ports, chosen), self.theirs.get(one.name, ManifestSet())
        return LocalComponent(host, gateway, theirs, self.programs, self.environment, awaited or self.awaited)

    def _ports(self, uses: Sequence[str]) -> dict[str, int]:
        return dict(zip(uses, self.ports.take(len(uses)), strict=True))

    @contextlib.asynccontextmanager
    async def _control_plane(self) -> AsyncIterator[None]:
        """For the block in which kwokctl starts processes: it waits for them itself, and tells its log of that."""
        log = self.files.log("kwokctl")
        with self.awaited.waiting("control plane", lambda: f"the log of kwokctl ends with {tail(log, 1)!r}"):
            async with unless_dead(self.files, self.environment):
                yield

    async def _healthy(
        self, name: str, url: str, gateway: Gateway, server_ready: asyncio.Event, moved: Mapping[int, int]
    ) -> None:
        with self.steps.step("cluster", name):
            if name == API_SERVER:
                await self.awaited.healthy(self.files, name, url + (MADE_BEFORE if self.saved is not None else ""))
                await readdress(gateway, moved)
                server_ready.set()
            await self.awaited.healthy(self.files, name, url)

    async def _start_component(
        self, started: LocalComponent, before: list[LocalComponent], server_ready: asyncio.Event
    ) -> None:
        """Create a component's objects, then start its processes, which expect them and those of others."""
        component, plan = started.host.component, self.plan
        with self.steps.step("cluster", component.name, component.version) as step:
            if self.saved is None:
                step.message = await started.install(server_ready)
            else:
                await started.resume(server_ready)
            for other in before:
                await other.installed.wait()
            if component.name in plan.again:
                await component_processes.stop(self.files, [process.name for process in component.processes])
            step.message = await started.start(at_once=self.saved is not None) or step.message

    def _add_context(self, known: Record) -> None:
        file = self.wanted.kubeconfig
        with self.steps.step("cluster", f"context {self.files.context}") as step:
            before = kubeconfig.current_context(file)
            if before != self.files.context:
                record.save(self.files, replace(known, contexts={**known.contexts, str(file): before}))
            kubeconfig.add_context(file, self.files.context, server=server_url(known), pki=self.files.pki)
            step.message = str(file)
