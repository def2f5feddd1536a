"""`cluster up` on the local engine: programs, control plane, stages, components, context."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from knavtool.cluster import kubeconfig, processes, record
from knavtool.cluster.components import hosted, manifests
from knavtool.cluster.engines.local import kwokctl
from knavtool.cluster.engines.local.down import stop
from knavtool.cluster.engines.local.plan import component_ports, server_url
from knavtool.cluster.engines.local.readiness import control_plane_health
from knavtool.cluster.health import origin, until_healthy
from knavtool.cluster.ports import free_ports
from knavtool.cluster.record import Record
from knavtool.errors import EngineError, blamed
from knavtool.kube.client import connect
from knavtool.kube.resource import SERVICE_ACCOUNTS
from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from knavtool.cluster.components.records import Component
    from knavtool.cluster.engines.local.plan import Plan, Wanted
    from knavtool.cluster.layout import ClusterFiles
    from knavtool.cluster.toolchain.resolve import Toolchain
    from knavtool.events import Steps


async def up(
    files: ClusterFiles,
    wanted: Wanted,
    plan: Plan,
    *,
    toolchain: Toolchain,
    environment: Mapping[str, str],
    timeout: float,
    steps: Steps,
) -> Record:
    """Do what the plan says, within `timeout` seconds once all programs are there; the caller holds the lock.

    If a new cluster does not come up, or the work is cancelled, nothing of it is left.
    """
    programs = await toolchain.ensure(_programs(plan), steps=steps)
    try:
        async with asyncio.timeout(timeout):
            if plan.record is None:
                return await _create(files, wanted, plan, programs, toolchain, environment, steps)
            return await _repair(files, wanted, plan, plan.record, programs, toolchain, environment, steps)
    except TimeoutError:
        message = f"cluster {files.name} was not ready within {timeout:g} s"
        raise EngineError(message, hint="is the machine very busy? give it more time with --timeout") from None


def _programs(plan: Plan) -> list[str]:
    """Only what has to be started is needed."""
    needed = list(kwokctl.PROGRAMS) if plan.record is None or plan.dead else []
    return needed + [one.process.program for one in plan.starting if one.process]


async def _create(
    files: ClusterFiles,
    wanted: Wanted,
    plan: Plan,
    programs: Mapping[str, Path],
    toolchain: Toolchain,
    environment: Mapping[str, str],
    steps: Steps,
) -> Record:
    # What is left of an earlier attempt that was killed, or of a cluster whose directory somebody removed.
    await stop(files)
    uses = component_ports(plan.starting)
    known = Record(
        feature_gates=wanted.feature_gates or "",
        ports=kwokctl.choose_ports(wanted.api_server_port) | dict(zip(uses, free_ports(len(uses)), strict=True)),
        versions={name: toolchain.program(name).version for name in programs},
    )
    files.directory.mkdir(mode=0o700, parents=True)
    try:
        record.save(files, known)
        config = kwokctl.configuration(
            programs, known.ports, feature_gates=known.feature_gates, groups=wanted.groups.values()
        )
        with steps.step("cluster", "control plane") as step:
            async with _unless_dead(files):
                await kwokctl.create(programs["kwokctl"], files, config, environment=environment)
            step.message = server_url(known)
        known = replace(known, created=True)
        record.save(files, known)
        return await _complete(files, wanted, plan, known, programs, toolchain, environment, steps)
    except BaseException:
        with steps.step("cluster", "tear-down", "of what was half started"):
            await stop(files)
        raise


async def _repair(
    files: ClusterFiles,
    wanted: Wanted,
    plan: Plan,
    known: Record,
    programs: Mapping[str, Path],
    toolchain: Toolchain,
    environment: Mapping[str, str],
    steps: Steps,
) -> Record:
    new = [use for use in component_ports(plan.starting) if use not in known.ports]
    known = replace(known, ports={**known.ports, **dict(zip(new, free_ports(len(new)), strict=True))})
    if plan.dead:
        with steps.step("cluster", "control plane", f"{', '.join(plan.dead)} again"):
            # kwokctl takes the number in a pid file for the process, whoever has that number now.
            for name in plan.dead:
                files.pid(name).unlink(missing_ok=True)
            async with _unless_dead(files):
                await kwokctl.start(programs["kwokctl"], files, environment=environment)
    for name in plan.leaving:
        with steps.step("cluster", name, "stopping"):
            await processes.end([processes.running(files)[name]])
            files.pid(name).unlink(missing_ok=True)
            (files.directory / "targets" / f"{name}.json").unlink(missing_ok=True)
    known = replace(known, components=tuple(name for name in known.components if name not in plan.leaving))
    return await _complete(files, wanted, plan, known, programs, toolchain, environment, steps)


async def _complete(
    files: ClusterFiles,
    wanted: Wanted,
    plan: Plan,
    known: Record,
    programs: Mapping[str, Path],
    toolchain: Toolchain,
    environment: Mapping[str, str],
    steps: Steps,
) -> Record:
    """What follows once the API server answers: stages, health, components; all at the same time."""
    hosted.write_targets(files, {one.name: one.metrics for one in kwokctl.processes(files) if one.metrics})
    async with _unless_dead(files), asyncio.TaskGroup() as group:
        if plan.record is None or plan.dead:
            for name, url in control_plane_health(known.ports).items():
                group.create_task(_healthy(name, url, steps))
            group.create_task(_service_account(files, steps))
        for one in plan.starting:
            group.create_task(_component(files, one, programs, known.ports, toolchain, environment, steps))
    known = replace(known, components=tuple({*known.components, *(one.name for one in plan.starting)}))
    record.save(files, known)
    if plan.add_context:
        with steps.step("cluster", f"context {files.context}") as step:
            before = kubeconfig.add_context(wanted.kubeconfig, files.context, server=server_url(known), pki=files.pki)
            step.message = str(wanted.kubeconfig)
        if before != files.context:
            known = replace(known, contexts={**known.contexts, str(wanted.kubeconfig): before})
            record.save(files, known)
    return known


async def _service_account(files: ClusterFiles, steps: Steps) -> None:
    """Pods are refused until the controller manager has made the account that they run as."""
    with steps.step("cluster", "service account default"):
        async with connect(kubeconfig=files.kubeconfig, context=None) as gateway:
            await until(
                gateway,
                SERVICE_ACCOUNTS,
                lambda seen: True if ("default", "default") in seen else None,
                timeout=None,
                namespace="default",
            )


async def _healthy(name: str, url: str, steps: Steps) -> None:
    with steps.step("cluster", name):
        await until_healthy(url)


async def _component(
    files: ClusterFiles,
    chosen: Component,
    programs: Mapping[str, Path],
    ports: Mapping[str, int],
    toolchain: Toolchain,
    environment: Mapping[str, str],
    steps: Steps,
) -> None:
    """Create a component's objects, then start its process, which expects them."""
    with steps.step("cluster", chosen.name, chosen.version) as step:
        if chosen.manifest is not None:
            wanted = await manifests.manifests(chosen, toolchain)
            async with connect(kubeconfig=files.kubeconfig, context=None) as gateway:
                made = await manifests.install(gateway, chosen, wanted)
            step.message = f"{made} objects created"
        if chosen.process is not None:
            url = hosted.ready_url(files, chosen, ports)
            program = programs[chosen.process.program]
            number = hosted.start(files, chosen, program, ports=ports, environment=environment)
            async with processes.watched(files, {chosen.name: number}):
                await until_healthy(url)
            step.message = origin(url)


@contextlib.asynccontextmanager
async def _unless_dead(files: ClusterFiles) -> AsyncIterator[None]:
    """Run the block; ProcessDied at once if a process of the control plane ends meanwhile."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_dead(files), name="unless-dead")
            yield
            task.cancel()
    except BaseExceptionGroup as errors:
        raise blamed(errors) from None


async def _dead(files: ClusterFiles) -> None:
    """Wait until the processes have pid files, then until one of them ends."""
    while not all(files.pid(name).is_file() for name in kwokctl.PROCESSES):  # noqa: ASYNC110 - there is no event
        # kwokctl writes them within a second of its start, and tells nobody.
        await asyncio.sleep(0.05)
    alive = processes.running(files)
    for name in kwokctl.PROCESSES:
        if name not in alive:
            raise processes.died(files, name)
    async with processes.watched(files, {name: alive[name] for name in kwokctl.PROCESSES}):
        await asyncio.get_running_loop().create_future()
