"""`cluster up` in a cluster that exists: each component by itself, after those that it needs; one that fails stays."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from knavtool.engines.existing import installed, misplaced_pods, releases, values
from knavtool.engines.existing.diagnosis import explain
from knavtool.engines.existing.installation import DEFINITION, NAMESPACE
from knavtool.engines.existing.installed import Installed
from knavtool.engines.existing.ownership import ManagedObjects
from knavtool.engines.existing.plan import left_alone
from knavtool.engines.existing.ready import WEBHOOKS, Progress, until_answering, until_ready, until_trusted
from knavtool.engines.existing.sending import before_webhooks, send, webhooks_and_api_services
from knavtool.errors import ClusterError, DeadlineExceeded, KnavError, NotFound
from knavtool.events import Result
from knavtool.kube.rollout import WORKLOADS
from knavtool.kube.waiting import until_established

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from knavtool.engines.existing.look import Found
    from knavtool.engines.existing.plan import Plan
    from knavtool.events import Step, Steps
    from knavtool.helm import Helm
    from knavtool.kube.client import Client
    from knavtool.kube.resource import Manifest

_SERVED_WITHIN = 30.0
_HELM_ENDS_BEFORE = 2.0
"""Seconds before our own time limit in which Helm notes that a release failed."""


async def up(client: Client, helm: Helm | None, plan: Plan, *, repair: bool, timeout: float, steps: Steps) -> None:
    """Do what the plan says, within `timeout` seconds.

    A component that fails does not stop the others; at the end the first failure is raised, with all of them told.
    `helm` may be None if no component is a chart.
    """
    for one in plan.found:
        if plan.left_alone(one):
            steps.note(left_alone(one), warning=True)
    if plan.wanted:
        await installed.prepare(client)
    work = _Work(client, helm, plan, asyncio.get_running_loop().time() + timeout, steps)
    for number, one in enumerate(plan.wanted, start=1):
        work.defined[one.installation.name] = asyncio.Event()
        await work.note(one, number)
    async with asyncio.TaskGroup() as group:
        for one in plan.wanted:
            name = one.installation.name
            work.tasks[name] = group.create_task(work.component(one), name=f"component-{name}")
    try:
        await _placement(client, plan, repair=repair, deadline=work.deadline, steps=steps)
    except KnavError as error:
        # What the components had to tell comes first.
        work.failed["repair" if repair else "pods on virtual nodes"] = error
    if work.failed:
        raise _summed(work.failed)


@dataclass(slots=True)
class _Work:
    """One call of `up`; `deadline` is a time of the event loop."""

    client: Client
    helm: Helm | None
    plan: Plan
    deadline: float
    steps: Steps
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    records: dict[str, Installed] = field(default_factory=dict)
    failed: dict[str, KnavError] = field(default_factory=dict)
    defined: dict[str, asyncio.Event] = field(default_factory=dict)

    async def note(self, one: Found, number: int) -> None:
        """Write down what is about to be sent."""
        before, release = one.record, one.installation.release
        kept = set(before.objects) if before is not None else set()
        sent = [one.ref(manifest) for manifest in one.installation.objects]
        # A namespace that was there before is somebody's, whoever owns the rest.
        ours = [ref for ref in sent if ref in kept or ref.kind != NAMESPACE or ref not in one.existing]
        last = max((record.order for record in self.plan.records.values()), default=0)
        record = Installed(
            name=one.installation.name,
            version=one.installation.version,
            order=before.order if before is not None else last + number,
            objects=tuple(dict.fromkeys([*(before.objects if before is not None else ()), *ours])),
            workloads=tuple(ref for ref in one.refs if ref.kind in WORKLOADS),
            release=(release.name, release.namespace) if release is not None else None,
            digest=before.digest if before is not None else "",
            work=before.work if before is not None else None,
            unlabelled=before.unlabelled if before is not None else (),
            makes=(*one.installation.makes, *one.installation.hooks),
            values=tuple(values.paths(one.installation.given)),
        )
        # Interrupted between the two, the record names values that are not there, which the next `up` tells.
        if before is not None and before.values and not record.values:
            await values.forget(self.client, record.name)
        await self.save(record)
        if record.values:
            await values.save(self.client, record.name, one.installation.given)

    async def save(self, record: Installed) -> None:
        self.records[record.name] = record
        await installed.save(self.client, record)

    async def component(self, one: Found) -> None:
        """Install one component; its failure is kept, not raised."""
        installation = one.installation
        with self.steps.step("component", installation.name, installation.version) as step:
            progress = Progress(step)
            try:
                async with _in_time(self.deadline, progress):
                    await self._install(one, progress)
            except KnavError as error:
                step.result = Result.FAILED
                explanation = await explain(
                    self.client, misplaced_pods.own_namespaces(one), self.records[installation.name].workloads
                )
                step.message = error.message
                self.failed[installation.name] = _with(error, explanation)
            finally:
                self.defined[installation.name].set()

    async def _install(self, one: Found, progress: Progress) -> None:
        installation, step = one.installation, progress.step
        definitions = installation.definitions
        if definitions:
            # First of all and without waiting for others: some of what comes before is of these kinds.
            await self._send(one, definitions, step)
            names = [manifest["metadata"]["name"] for manifest in definitions]
            await until_established(self.client, names, timeout=_SERVED_WITHIN)
        self.defined[installation.name].set()
        await self._needs(one)
        await until_established(self.client, installation.after, timeout=_SERVED_WITHIN)
        await self._send(one, before_webhooks(installation.objects), step)
        if installation.release is not None:
            await self._release(one, progress)
        await until_ready(self.client, one.refs, progress=progress)
        await self._webhooks(one, progress)
        record = self.records[installation.name]
        await self._prune(one, record)
        wanted = {one.ref(manifest) for manifest in installation.objects}
        kept = tuple(ref for ref in record.objects if ref in wanted or ref.kind in (DEFINITION, NAMESPACE))
        unlabelled = tuple(ref for ref in record.unlabelled if ref in kept and ref not in wanted)
        await self.save(replace(record, objects=kept, unlabelled=unlabelled, complete=True))
        step.message = f"{len(one.refs)} objects"

    async def _needs(self, one: Found) -> None:
        """Wait for the components that come before this one."""
        for name in one.installation.needs:
            if name in self.tasks:
                await asyncio.shield(self.tasks[name])
            if name in self.failed:
                raise ClusterError(f"not installed, because it needs {name}, which failed")

    async def _release(self, one: Found, progress: Progress) -> None:
        """Let Helm install or upgrade the release, unless it is there and made of the same."""
        release, helm = one.installation.release, self.helm
        assert release is not None  # noqa: S101 - only asked of charts
        assert helm is not None  # noqa: S101 - there is one if there are charts
        # Charts ask which kinds are served; the plan told them of those of all components.
        for event in self.defined.values():
            await event.wait()
        place = (release.name, release.namespace)
        record = self.records[one.installation.name]
        left = max(self.deadline - asyncio.get_running_loop().time() - _HELM_ENDS_BEFORE, 1.0)
        done = await releases.free(self.client, helm, place, record.work, timeout=left)
        if done:
            progress.step.note(done)
        digest = release.digest()
        history = await helm.history(release.name, namespace=release.namespace)
        if history and history[-1].status == "deployed" and record.digest == digest and not one.missing:
            return
        work = releases.new_work(left)
        await self.save(replace(record, work=work, digest=""))
        follower = asyncio.create_task(until_ready(self.client, one.refs, progress=progress))
        try:
            await helm.marked({releases.MARK: work.mark}).upgrade_install(
                release.name,
                release.chart,
                namespace=release.namespace,
                values=release.values,
                take_ownership=self.plan.take_ownership,
                skip_crds=True,
                wait=True,
                timeout=left,
            )
        except KnavError:
            await self.save(replace(record, work=None, digest=""))
            raise
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
        await self.save(replace(record, work=None, digest=digest))

    async def _webhooks(self, one: Found, progress: Progress) -> None:
        """Let the API server ask the component only when it answers, and wait until it is asked in vain no more."""
        late = webhooks_and_api_services(one.installation.objects)
        webhooks = [manifest for manifest in late if manifest["kind"] in WEBHOOKS]
        await until_answering(self.client, webhooks, progress=progress)
        await self._send(one, late, progress.step)
        for manifest in webhooks:
            ref = one.ref(manifest)
            await until_trusted(self.client, one.resource(ref), ref.name, progress=progress)

    async def _send(self, one: Found, manifests: Iterable[Manifest], step: Step) -> None:
        ours = frozenset(self.records[one.installation.name].objects)
        await send(self.client, one, manifests, ours=ours, step=step)

    async def _prune(self, one: Found, record: Installed) -> None:
        """Remove what an earlier version had and this one has not; definitions stay, they may have objects."""
        wanted = {one.ref(manifest) for manifest in one.installation.objects}
        ours = ManagedObjects.of([record])
        for ref in record.objects:
            if ref in wanted or ref.kind in (DEFINITION, NAMESPACE):
                continue
            try:
                resource = await self.client.discover(ref.api_version, ref.kind)
                item = await self.client.get(resource, ref.name, namespace=ref.namespace or None)
            except NotFound:
                continue
            if ours.sent_by_us(item, ref):
                uid = item["metadata"]["uid"]
                await self.client.delete(resource, ref.name, namespace=ref.namespace or None, uid=uid)


@contextlib.asynccontextmanager
async def _in_time(deadline: float, progress: Progress) -> AsyncIterator[None]:
    """Raise DeadlineExceeded with what was waited for; `deadline` is a time of the event loop."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        waiting = f": {progress.waiting}" if progress.waiting else ""
        raise DeadlineExceeded(f"not ready in time{waiting}", hint="give it more time with --timeout") from None


async def _placement(client: Client, plan: Plan, *, repair: bool, deadline: float, steps: Steps) -> None:
    """Warn of pods on virtual nodes, or move them."""
    # What was missing when the plan was made is there by now.
    components = [replace(one, existing=one.existing | set(one.refs)) for one in plan.found]
    pods = await misplaced_pods.misplaced(client, components)
    if not pods:
        return
    if repair:
        with steps.step("component", "repair", f"{len(pods)} pods on virtual nodes") as step:
            touched = await misplaced_pods.move(client, components, pods)
            progress = Progress(step)
            async with _in_time(deadline, progress):
                await until_ready(client, touched, progress=progress)
            step.message = f"{len(pods)} pods moved"
        pods = await misplaced_pods.misplaced(client, components)
    for pod in pods:
        advice = "its workload has no rule against that" if repair else "run `cluster up` with --repair to move it"
        steps.note(f"{pod}, where nothing runs: {advice}", warning=True)


def _with(error: KnavError, lines: list[str]) -> KnavError:
    """The error with what the cluster says below its message."""
    error.message = "\n".join([error.message, *(f"  {line}" for line in lines)])
    return error


def _summed(failed: dict[str, KnavError]) -> KnavError:
    """One error for all components that failed; its kind, and so the exit code, is that of the first."""
    first = next(iter(failed.values()))
    first.message = "\n".join(f"{name}: {error.message}" for name, error in failed.items())
    first.args = (first.message,)
    hint = "what is installed stays: run the command again to go on, or `cluster down` to remove it"
    first.hint = "; ".join(filter(None, (first.hint, hint)))
    return first
