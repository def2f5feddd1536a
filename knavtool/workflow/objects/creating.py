"""Creates what a SubmitObj rendered, and keeps what became of each object."""

from __future__ import annotations

import asyncio
from itertools import zip_longest
from typing import TYPE_CHECKING

from knavtool.errors import AlreadyExists, ClusterError, Forbidden, KnavError
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS
from knavtool.kube.waiting import until_established
from knavtool.workflow.submission import Instance, Refused, Submission, Submitted
from knavtool.workflow.task import Outcome
from knavtool.workflow.undoing.claims import claims_of
from knavtool.workflow.undoing.writing import create
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knavtool.kube.resource import Resource
    from knavtool.workflow.submission import Place
    from knavtool.workflow.task import Context, Item
    from knavtool.workflow.undoing.ledger import Made

_ESTABLISHED_WITHIN = 30.0


class Making:
    """One run of a SubmitObj: its submission grows with every object that the server has confirmed."""

    def __init__(self, context: Context, title: str, *, can_exist: bool) -> None:
        rendering = context.rendering
        self._context = context
        self._can_exist = can_exist
        self._group = context.ledger.group(title)
        self._instances = rendering.instances
        self._resources: dict[tuple[str, str], Resource] = {}
        self._reasons: dict[int, str] = {}
        self._done = 0
        self._total = sum(len(items) for items in rendering.instances)
        self.submission = Submission(
            instances=[
                Instance(pods=pods, pod_count=rendering.pod_count // len(rendering.instances))
                for _, pods in zip_longest(rendering.instances, rendering.pod_patterns)
            ]
        )

    async def find_kinds(self) -> None:
        """Ask where the kinds are served; raises NotFound for one that is not."""
        for items in self._instances:
            for key in ((item.api_version, item.kind) for item in items):
                if key not in self._resources:
                    self._resources[key] = await self._context.gateway.discover(*key)

    def places(self) -> Iterator[Place]:
        """Where the objects will be, once their kinds are found."""
        for items in self._instances:
            for item in items:
                resource = self._resources[item.api_version, item.kind]
                yield resource, item.place(resource)

    def pods_in(self, namespaces: Iterable[str | None]) -> None:
        """Say where the pods of the objects may be."""
        for instance in self.submission.instances:
            instance.namespaces = tuple(namespaces)

    async def create_all(self) -> Outcome:
        """Create the objects, many at a time; no further one is begun after a refusal."""
        context = self._context
        started = context.clock()
        refused = await for_each(range(len(self._instances)), self._create_instance, stop_on_error=True)
        seconds = context.clock() - started
        objects = self.submission.objects()
        existed = sum(item.existed for item in objects)
        data = {
            "objects": _names(objects),
            "created": len(objects) - existed,
            "existed": existed,
            "wanted": self._total,
            "seconds": round(seconds, 3),
            "rate": round((len(objects) - existed) / seconds, 1) if seconds > 0 else 0.0,
        }
        if refused:
            context.step.data.update(data)
            raise _summed([error for _, error in refused], made=len(objects), total=self._total)
        # A later task may submit objects of the kinds that these define.
        kinds = {item.name for item in objects if item.resource == CUSTOM_RESOURCE_DEFINITIONS}
        await until_established(context.gateway, kinds, timeout=_ESTABLISHED_WITHIN)
        new = [(item.resource.kind, item) for item in objects if not item.existed]
        message = f"{counted(new) or 'nothing'} created" + (f", {existed} existed" if existed else "")
        if len(new) >= 10:
            message += f", {data['rate']:g}/s"
        return Outcome(message=message, data=data)

    async def _create_instance(self, number: int) -> None:
        # The blocks of one instance in the order of the file: a PodGroup has to exist before its Job.
        objects = self.submission.instances[number].objects
        for item in self._instances[number]:
            resource = self._resources[item.api_version, item.kind]
            made = self._group.intend(resource, item.place(resource), item.name)
            try:
                objects.append(await self._create(made, item))
                self._record(objects[-1], self.submission.instances[number].pod_count)
            except ClusterError as error:
                self._reasons[number] = error.message
                raise
            except asyncio.CancelledError:
                if made.uid:
                    objects.append(_submitted(made, item))
                raise
            self._done += 1
            if self._done % max(self._total // 100, 1) == 0 or self._done == self._total:
                self._context.step.progress(self._done, self._total)

    async def _create(self, made: Made, item: Item) -> Submitted:
        gateway = self._context.gateway
        if self._context.ledger.restores and (claims := await claims_of(gateway, made, item.body)) is not None:
            self._group.claims.append(claims)
        try:
            await create(gateway, self._group, made, item.body)
        except AlreadyExists as error:
            if not self._can_exist:
                raise AlreadyExists(
                    f"{made} exists already",
                    status=error.status,
                    reason=error.reason,
                    hint="delete it, or set canExist: true if it may be used as it is",
                ) from error
            live = await gateway.get(made.resource, made.name, namespace=made.namespace)
            return _submitted(made, item, uid=live["metadata"]["uid"], existed=True)
        return _submitted(made, item)

    def _record(self, item: Submitted, pods: int) -> None:
        """The pods of an instance are counted with each of its objects; only one of them owns pods."""
        if self._context.recorded is not None:
            self._context.recorded.cluster.submitted(
                kind=f"{item.resource.kind}.{item.resource.group}".rstrip("."),
                uid=item.uid,
                namespace=item.namespace or "",
                name=item.name,
                pods=pods,
                existed=item.existed,
            )

    def refuse_the_rest(self, error: BaseException) -> None:
        """Note of everything that was not created why that is, after the error that ended the task."""
        cause = error.message if isinstance(error, KnavError) else "the task was interrupted"
        for number, (items, instance) in enumerate(zip(self._instances, self.submission.instances, strict=True)):
            reason = self._reasons.get(number) or ("an earlier object was refused" if self._reasons else cause)
            for item in items[len(instance.objects) :]:
                instance.refused.append(self._refused(item, reason))
                reason = f"{instance.refused[0]} was refused"

    def _refused(self, item: Item, reason: str) -> Refused:
        resource = self._resources.get((item.api_version, item.kind))
        return Refused(
            group=item.api_version.rpartition("/")[0],
            kind=item.kind,
            namespace=item.place(resource) if resource is not None else item.namespace,
            name=item.name,
            document=item.document,
            reason=reason,
        )


def _submitted(made: Made, item: Item, *, uid: str = "", existed: bool = False) -> Submitted:
    return Submitted(
        resource=made.resource,
        namespace=made.namespace,
        name=made.name,
        uid=uid or made.uid,
        existed=existed,
        document=item.document,
    )


def _names(objects: list[Submitted]) -> dict[str, dict[str, list[str]]]:
    """{kind: {namespace: [name, ...]}}; the namespace of a cluster-scoped kind is empty."""
    names: dict[str, dict[str, list[str]]] = {}
    for item in objects:
        names.setdefault(item.resource.kind, {}).setdefault(item.namespace or "", []).append(item.name)
    return names


def _summed(errors: list[ClusterError], *, made: int, total: int) -> ClusterError:
    first = errors[0]
    if total == 1:
        return first
    hint = "your account may not create this kind here" if isinstance(first, Forbidden) and not first.hint else ""
    text = f"{made} of {total} objects were created, then: {first.message}"
    return first.reworded(text, hint=hint)
