"""`cluster down` in a cluster that exists: what `up` installed goes, in reverse; what others made stays and is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.engines.existing import installed, releases, values
from knavtool.engines.existing.foreign import Leftovers
from knavtool.engines.existing.installation import DEFINITION, NAMESPACE, Ref, some
from knavtool.engines.existing.look import KEPT
from knavtool.engines.existing.ownership import ManagedObjects, component_of, released_by
from knavtool.engines.existing.sending import LAST
from knavtool.errors import ClusterError, Conflict, DeadlineExceeded, KnavError, NotFound
from knavtool.events import Result
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES
from knavtool.kube.waiting import until
from knavtool.render.manifests import rank

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from knavtool.engines.existing.installed import Installed
    from knavtool.events import Step, Steps
    from knavtool.helm import Helm
    from knavtool.kube.client import Client
    from knavtool.kube.resource import Manifest, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many components were removed, what was `kept` and why, and the names of their `definitions` that are left."""

    count: int
    kept: tuple[str, ...]
    definitions: tuple[str, ...]


async def down(
    client: Client,
    helm: Callable[[], Awaitable[Helm]],
    *,
    only: Collection[str] | None = None,
    timeout: float,
    steps: Steps,
) -> Removed:
    """Remove all components, or `only` some.

    `helm` is asked for only if a component is a release. A component that cannot be removed does not stop the others;
    the first failure is raised at the end. Within `timeout` seconds.
    """
    records = await installed.load(client)
    chosen = [record for record in reversed(records.values()) if only is None or record.name in only]
    # What a component has that stays is not theirs.
    ours = ManagedObjects.of(chosen)
    work = _Removal(client, helm, timeout, ours, Leftovers(client, ours))
    failed: dict[str, KnavError] = {}
    deadline = asyncio.get_running_loop().time() + timeout
    for record in chosen:
        with steps.step("component", record.name, f"removing {record.version}") as step:
            try:
                async with asyncio.timeout_at(deadline):
                    await work.remove(record, step)
            except TimeoutError:
                failed[record.name] = DeadlineExceeded(f"not gone in time: {work.waiting}")
            except KnavError as error:
                failed[record.name] = error
            if record.name in failed:
                step.result, step.message = Result.FAILED, failed[record.name].message
    if records and len(chosen) == len(records) and not failed:
        with steps.step("component", installed.HOME, "the namespace of the records"):
            await work.home()
    if failed:
        first = next(iter(failed.values()))
        first.message = "\n".join(f"{name}: {error.message}" for name, error in failed.items())
        first.hint = first.hint or "run the command again to go on"
        raise first
    return Removed(count=len(chosen), kept=tuple(work.kept), definitions=tuple(sorted(work.left)))


@dataclass(slots=True)
class _Removal:
    """One call of `down`; `kept` is what stays, for people, and `left` are the names of definitions that do."""

    client: Client
    helm: Callable[[], Awaitable[Helm]]
    timeout: float
    ours: ManagedObjects
    leftovers: Leftovers
    kept: list[str] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    waiting: str = ""

    async def remove(self, record: Installed, step: Step) -> None:
        """Remove a component, then its record: interrupted, it can be done again.

        What would go with it is looked at before anything is deleted; if that cannot be done, all of it stays.
        """
        definitions = await self._definitions(record)
        users = {name: await self.leftovers.of_definition(one) for name, one in definitions.items()}
        namespaces = [ref for ref in record.objects if ref.kind == NAMESPACE and await self._ours(ref) is not None]
        for ref in namespaces:
            await self.leftovers.in_namespace(ref.name)
        if record.release is not None:
            await self._release(record, record.release, definitions, users)
        objects = [ref for ref in record.objects if ref.kind not in (DEFINITION, NAMESPACE)]
        # What the API server asks goes first, then what is of the component's own kinds, while the component lives and
        # can take its finalizers away, then the rest in the reverse of its order.
        own_kinds = {(one["spec"]["group"], one["spec"]["names"]["kind"]) for one in definitions.values()}
        last = [ref for ref in objects if ref.kind in LAST]
        custom = [ref for ref in objects if (ref.api_version.rpartition("/")[0], ref.kind) in own_kinds]
        rest = [ref for ref in objects if ref not in last and ref not in custom]
        await self._delete(last, step)
        await self._delete(custom, step)
        await self._delete(sorted(rest, key=lambda ref: -rank({"kind": ref.kind})), step)
        await self._remove_definitions(record, definitions, users, step)
        # Helm leaves those of a chart that says so, others were changed or have objects of others.
        self.left |= (await self._definitions(record)).keys() & definitions.keys()
        for ref in namespaces:
            await self._remove_namespace(ref)
        if record.values:
            await values.forget(self.client, record.name)
        await installed.forget(self.client, record.name)
        step.message = "removed"

    async def _definitions(self, record: Installed) -> Mapping[str, Manifest]:
        """The CustomResourceDefinitions that would go with the component, by name."""
        named = {ref.name for ref in record.objects if ref.kind == DEFINITION}
        return {
            item["metadata"]["name"]: item
            for item in await self.client.list(CUSTOM_RESOURCE_DEFINITIONS)
            if item["metadata"]["name"] in named or (record.release is not None and released_by(item) == record.release)
        }

    async def _release(
        self,
        record: Installed,
        release: tuple[str, str],
        definitions: Mapping[str, Manifest],
        users: Mapping[str, list[Ref]],
    ) -> None:
        """Let Helm uninstall the release, if it would not take objects of others with it."""
        name, namespace = release
        for definition, refs in users.items():
            if refs and released_by(definitions[definition]) == release:
                message = f"kept: with its Helm release {DEFINITION} {definition} would go, and with that"
                raise Conflict(f"{message} {some(refs)}", status=409, hint="delete these objects first")
        for item in await self.client.list(NAMESPACES):
            inside = item["metadata"]["name"]
            if released_by(item) == release and (refs := await self.leftovers.in_namespace(inside)):
                message = f"kept: with its Helm release {NAMESPACE} {inside} would go, and with that {some(refs)}"
                raise Conflict(message, status=409, hint="delete these objects first")
        driver = await releases.driver(self.client, release)
        if driver:
            # An earlier version let the environment say where Helm keeps its releases.
            helm = (await self.helm()).marked({"HELM_DRIVER": driver})
            self.waiting = f"Helm release {namespace}/{name}"
            await releases.require_free(self.client, helm, release, record.work)
            await helm.uninstall(name, namespace=namespace, timeout=self.timeout, wait=True)
        elif left := [ref for ref in record.workloads if await self._is_of(ref, release)]:
            message = f"Helm keeps no release {namespace}/{name} in this cluster, but {some(left)} belong to it"
            hint = "if it was installed with another HELM_DRIVER, uninstall it with that; otherwise delete its objects"
            raise Conflict(message, status=409, hint=hint)
        self.leftovers.uninstalled.add(release)

    async def _is_of(self, ref: Ref, release: tuple[str, str]) -> bool:
        """Whether an object is there and belongs to a release."""
        found = await self._get(ref)
        return found is not None and released_by(found[1]) == release

    async def _remove_definitions(
        self, record: Installed, definitions: Mapping[str, Manifest], users: Mapping[str, list[Ref]], step: Step
    ) -> None:
        removable = []
        for ref in record.objects:
            if ref.kind != DEFINITION or ref.name not in definitions:
                continue
            if users[ref.name] and self.ours.sent_by_us(definitions[ref.name], ref):
                self.kept.append(f"{ref}, because there are {some(users[ref.name])}")
                await self._keep(record, definitions[ref.name])
            else:
                removable.append(ref)
        await self._delete(removable, step)

    async def _keep(self, record: Installed, definition: Manifest) -> None:
        """Mark a definition as left behind, and let the API server do without a webhook for it.

        It could not even list the objects through one that is gone, and no namespace could be deleted any more.
        """
        body: Manifest = {"metadata": {"labels": {KEPT: record.name}}}
        if (definition["spec"].get("conversion") or {}).get("strategy") == "Webhook":
            body["spec"] = {"conversion": {"strategy": "None", "webhook": None}}
        await self.client.patch(CUSTOM_RESOURCE_DEFINITIONS, definition["metadata"]["name"], body)

    async def _remove_namespace(self, ref: Ref) -> None:
        foreign = await self.leftovers.in_namespace(ref.name)
        if foreign:
            self.kept.append(f"{ref}, because in it are {some(foreign)}")
            return
        self.waiting = str(ref)
        await self._delete_one(ref)

    async def home(self) -> None:
        """Remove the namespace of the records, if knavtool made it and nobody put anything else there."""
        ref = Ref("v1", NAMESPACE, "", installed.HOME)
        found = await self._get(ref)
        if found is None:
            return
        if component_of(found[1]) != installed.RECORDS:
            self.kept.append(f"{ref}, because it was there before or an earlier version made it")
            return
        try:
            foreign = await self.leftovers.in_namespace(ref.name)
        except ClusterError as error:
            self.kept.append(f"{ref}: {error.message}")
            return
        if foreign:
            self.kept.append(f"{ref}, because in it are {some(foreign)}")
            return
        await self._delete_found(ref, *found)

    async def _delete(self, refs: Iterable[Ref], step: Step) -> None:
        """Delete objects and wait until they are gone, and their dependents with them."""
        refs = list(refs)
        gone = 0

        async def delete(ref: Ref) -> None:
            nonlocal gone
            self.waiting = str(ref)
            await self._delete_one(ref)
            gone += 1
            step.progress(gone, len(refs), str(ref))

        for ref, error in await for_each(refs, delete, width=8, stop_on_error=True):
            raise ClusterError(f"{ref}: {error.message}", status=error.status, hint=error.hint)

    async def _ours(self, ref: Ref) -> tuple[Resource, Manifest] | None:
        """An object that is there and is the one that `up` sent; another one stays, which is told."""
        found = await self._get(ref)
        if found is None or self.ours.sent_by_us(found[1], ref):
            return found
        other = component_of(found[1])
        why = f"{other} has it too" if other else f"it has no label {installed.LABEL}: somebody made or changed it"
        self.kept.append(f"{ref}, because {why}")
        return None

    async def _get(self, ref: Ref) -> tuple[Resource, Manifest] | None:
        try:
            resource = await self.client.discover(ref.api_version, ref.kind)
            return resource, await self.client.get(resource, ref.name, namespace=ref.namespace or None)
        except NotFound:
            return None  # it is gone, or its kind is, and all objects with it

    async def _delete_one(self, ref: Ref) -> None:
        if (found := await self._ours(ref)) is not None:
            await self._delete_found(ref, *found)

    async def _delete_found(self, ref: Ref, resource: Resource, item: Manifest) -> None:
        namespace, uid = ref.namespace or None, item["metadata"]["uid"]
        if await self.client.delete(resource, ref.name, namespace=namespace, propagation="Foreground", uid=uid):
            await until(
                self.client,
                resource,
                lambda seen: None if _uid(seen, ref) == uid else True,
                timeout=None,
                namespace=namespace,
                field_selector=f"metadata.name={ref.name}",
            )


def _uid(seen: Mapping[tuple[str, str], Manifest], ref: Ref) -> str:
    item = seen.get((ref.namespace, ref.name))
    return str(item["metadata"]["uid"]) if item is not None else ""
