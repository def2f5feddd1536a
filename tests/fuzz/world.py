"""A cluster in memory where things go wrong, and an event loop in which time takes no time."""

from __future__ import annotations

import asyncio
import selectors
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from knavtool.errors import ClusterError, Forbidden, Unreachable
from knavtool.kube.gateway import FIELD_MANAGER, Change
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, NODES, PODS, PRIORITY_CLASSES
from support.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from knavtool.kube.resource import Manifest, Resource
    from knavtool.workflow.undoing.ledger import Ledger

T = TypeVar("T")
_SET_BY_SERVER = frozenset({"uid", "resourceVersion", "creationTimestamp", "managedFields"})


class _Selector(selectors.DefaultSelector):
    """Does not wait: when nothing is ready, the clock jumps to the moment that is waited for."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "waits for what can never happen"
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """Sleeping takes no time here, and waiting for ever is told."""

    def __init__(self) -> None:
        self._quick = _Selector()
        super().__init__(self._quick)

    def time(self) -> float:
        return self._quick.now


def run(body: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in such a loop."""
    with asyncio.Runner(loop_factory=_Loop) as quick:
        return quick.run(body)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with the write of that number, from 1.

    refuse: it is forbidden; fail: the server is broken; lose: it is done, but no answer comes; interrupt: the user
    presses Ctrl-C before it is sent; interrupt late: when it has been done.
    """

    kind: str
    at: int


KINDS = ("refuse", "fail", "lose", "interrupt", "interrupt late")


class World(Memory):
    """Has trouble when told to, and checks that everything that is created was written down before.

    The creations with a number in `refused`, from 0, are forbidden. Every Job that is created has a running pod, which
    goes with it. `ledger` and `running` are those of the run, once there is one.
    """

    def __init__(self, trouble: Trouble | None = None, refused: frozenset[int] = frozenset()) -> None:
        super().__init__()
        self.mishap = trouble
        self.refused = refused
        self._creations = 0
        self.ledger: Ledger | None = None
        self.running: asyncio.Task[Any] | None = None
        self.unknown: list[str] = []
        self.requests, self.retries, self.qps = 0, 0, 0.0
        self.server = "https://127.0.0.1:6443"
        self._writes = 0

    async def furnish(self) -> None:
        """Put something there that belongs to somebody else."""
        await super().create(NAMESPACES, {"metadata": {"name": "old"}})
        await super().create(CONFIG_MAPS, {"metadata": {"name": "old"}, "data": {"x": "y"}}, namespace="default")
        await super().create(PRIORITY_CLASSES, {"metadata": {"name": "old"}, "value": 7})
        await super().create(JOBS, {"metadata": {"name": "x2"}, "spec": {}}, namespace="default")
        await super().create(NODES, {"metadata": {"name": "real", "labels": {"rack": "x"}}, "status": {}})
        self.calls.clear()

    def content(self) -> dict[str, Manifest]:
        """Everything that is there, without what only the server sets."""
        return {
            f"{resource.kind} {'/'.join(filter(None, key))}": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                **manifest,
                "metadata": {name: value for name, value in manifest["metadata"].items() if name not in _SET_BY_SERVER},
            }
            for resource, objects in self._objects.items()
            for key, manifest in objects.items()
        }

    def writes(self) -> list[tuple[str, str, str]]:
        """The requests so far that change something."""
        return [call for call in self.calls if call[0] not in ("get", "list", "watch", "may")]

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        number, self._creations = self._creations, self._creations + 1
        if number in self.refused:
            raise Forbidden("may not create that", status=403)

        async def create() -> Manifest:
            created = await Memory.create(self, resource, body, namespace=namespace)
            key = created["metadata"].get("namespace") or "", created["metadata"]["name"]
            self._objects[resource][key]["metadata"]["managedFields"] = [{"manager": FIELD_MANAGER}]
            if self.ledger is not None and not self._is_known(self.ledger, resource, *key):
                self.unknown.append(f"{resource} {'/'.join(key)}")
            if resource == JOBS:
                self._start(created)
            return created

        return await self._tried(create)

    async def patch(self, resource: Resource, name: str, body: Manifest, **more: Any) -> Manifest:
        return await self._tried(lambda: Memory.patch(self, resource, name, body, **more))

    async def delete(self, resource: Resource, name: str, **more: Any) -> bool:
        async def delete() -> bool:
            deleted = await Memory.delete(self, resource, name, **more)
            pod = more.get("namespace") or "", f"{name}-0"
            if deleted and resource == JOBS and pod in self._all(PODS):
                self._remove(PODS, pod)
            return deleted

        return await self._tried(delete)

    def _start(self, job: Manifest) -> None:
        metadata = job["metadata"]
        key = metadata["namespace"], f"{metadata['name']}-0"
        if key in self._all(PODS):
            return
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": key[0],
                "name": key[1],
                "uid": f"pod-{metadata['uid']}",
                "ownerReferences": [owner],
            },
            "spec": {"nodeName": "real"},
            "status": {"phase": "Running"},
        }
        self._store(PODS, key, pod, Change.ADDED)

    def calm(self) -> None:
        """No more trouble from now on."""
        self.mishap, self.refused = None, frozenset()

    def _is_known(self, ledger: Ledger, resource: Resource, namespace: str, name: str) -> bool:
        brought_back = (
            (before.resource, before.manifest["metadata"]["name"]) == (resource, name)
            for group in ledger.groups
            for before in group.before
        )
        made = (
            (resource, namespace, name) in group.made
            or (resource == NODES and group.nodes is not None and name in group.nodes.created)
            for group in ledger.groups
        )
        return any(made) or any(brought_back)

    async def _tried(self, write: Callable[[], Awaitable[T]]) -> T:
        self._writes += 1
        trouble = self.mishap.kind if self.mishap is not None and self.mishap.at == self._writes else ""
        match trouble:
            case "refuse":
                raise Forbidden("may not do that", status=403)
            case "fail":
                raise ClusterError("broken", status=500)
            case "interrupt":
                await self._interrupt()
        done = await write()
        if trouble == "lose":
            raise Unreachable("the connection was closed")
        if trouble == "interrupt late":
            await self._interrupt()
        return done

    async def _interrupt(self) -> None:
        assert self.running is not None
        self.running.cancel()
        await asyncio.sleep(0)
