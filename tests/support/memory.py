"""An API server in memory, for unit tests only; it passes the contract suite that the real one passes."""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from typing import TYPE_CHECKING

import orjson

from knavtool.errors import AlreadyExists, ClusterError, Conflict, Invalid, NotFound, NotServed
from knavtool.kube.discovery import ServedKind, ServedKinds
from knavtool.kube.gateway import FIELD_MANAGER, SYNCED, Change, WatchEvent
from knavtool.kube.resource import PODS, WELL_KNOWN, Manifest, Manifests, Resource
from support.selectors import matches_fields, matches_labels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

Key = tuple[str, str]
_WITH_STATUS = {"Node", "Pod", "Job", "Deployment", "Namespace"}
_STATUS_SET_ON_CREATE = {"Node"}
_WITHOUT_STATUS = {
    *("ConfigMap", "DeviceClass", "Event", "Lease", "PriorityClass", "ResourceSlice", "Secret", "ServiceAccount"),
}


class Memory:
    """`gateway.Gateway` on dicts; `calls` lists (verb, kind, name) of every request that would be sent.

    `allows` answers questions about access, given verb, resource as `jobs.batch/status`, and namespace; `admit` is what
    admission makes of an object in a dry run.
    """

    def __init__(self, extra: Iterable[Resource] = ()) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.last_failure: ClusterError | None = None
        self.refuse: dict[tuple[str, str], ClusterError] = {}
        self.allows: Callable[[str, str, str | None], bool] = lambda *_: True
        self.admit: Callable[[Manifest], Manifest] = lambda manifest: manifest
        self._served = {**WELL_KNOWN, **{(resource.api_version, resource.kind): resource for resource in extra}}
        self._objects: dict[Resource, dict[Key, Manifest]] = {}
        self._version = 0
        self._made: dict[str, float] = {}
        self._watchers: list[tuple[Resource, asyncio.Queue[WatchEvent]]] = []

    def age(self, manifest: Manifest) -> float:
        return time.monotonic() - self._made[manifest["metadata"]["uid"]]

    async def discover(self, api_version: str, kind: str) -> Resource:
        try:
            return self._served[api_version, kind]
        except KeyError:
            group = api_version.rpartition("/")[0]
            served = [version for version, name in self._served if name == kind and version.rpartition("/")[0] == group]
            raise NotServed(
                f"the cluster does not serve {api_version} {kind}", served_as=served if group else ()
            ) from None

    async def kinds(self) -> ServedKinds:
        verbs = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
        return ServedKinds(
            tuple(
                ServedKind(
                    resource=resource,
                    verbs=verbs,
                    subresources=frozenset(() if resource.kind in _WITHOUT_STATUS else ("status",)),
                )
                for resource in self._served.values()
            )
        )

    async def may(self, verb: str, resource: Resource, *, subresource: str = "", namespace: str | None = None) -> bool:
        self._call("may", resource, verb)
        return self.allows(verb, f"{resource}/{subresource}".rstrip("/"), namespace)

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Manifest:
        self._call("get", resource, name)
        return copy.deepcopy(self._find(resource, namespace, name))

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
        metadata_only: bool = False,
    ) -> AsyncIterator[Manifests]:
        self._call("list", resource, "")
        found = self._select(resource, namespace, label_selector, field_selector)
        if metadata_only:
            found = [{"metadata": item["metadata"]} for item in found]
        for start in range(0, len(found), limit):
            yield copy.deepcopy(found[start : start + limit])

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Manifests:
        self._call("list", resource, "")
        return copy.deepcopy(self._select(resource, namespace, label_selector, field_selector))

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        manifest: Manifest = orjson.loads(body if isinstance(body, bytes) else orjson.dumps(body))
        metadata = manifest.setdefault("metadata", {})
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise Invalid(f"create {resource}: name or generateName is required", status=422)
            metadata["name"] = f"{metadata['generateName']}{uuid.uuid4().hex[:5]}"
        name = metadata["name"]
        self._call("create", resource, name)
        key = self._key(resource, namespace, name)
        if key in self._all(resource):
            raise AlreadyExists(f"create {resource}: {name} already exists", status=409, reason="AlreadyExists")
        if resource.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.uuid4())
        self._made[metadata["uid"]] = time.monotonic()
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        metadata.setdefault("managedFields", [{"manager": FIELD_MANAGER}])
        if resource.kind in _WITH_STATUS - _STATUS_SET_ON_CREATE:
            manifest["status"] = {"phase": "Pending"} if resource is PODS else {}
        self._store(resource, key, manifest, Change.ADDED)
        return copy.deepcopy({"metadata": manifest["metadata"]})

    async def dry_run_create(self, resource: Resource, body: Manifest, *, namespace: str | None = None) -> Manifest:
        self._call("dry run", resource, namespace or "")
        return self.admit(copy.deepcopy(body))

    async def apply(
        self,
        resource: Resource,
        name: str,
        body: Manifest,
        *,
        namespace: str | None = None,
        force: bool = True,  # noqa: ARG002 - there is one field manager here
        subresource: str | None = None,
    ) -> Manifest:
        key = self._key(resource, namespace, name)
        if key in self._all(resource):
            return await self.patch(resource, name, body, namespace=namespace, subresource=subresource)
        return await self.create(resource, body, namespace=namespace)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Manifest,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        strategic: bool = False,
    ) -> Manifest:
        self._call("patch" if subresource is None else f"patch {subresource}", resource, name)
        before = self._find(resource, namespace, name)
        if subresource is not None and resource.kind in _WITHOUT_STATUS:
            raise NotFound(f"patch {resource} {name}: the server could not find the requested resource", status=404)
        for key, said in (("resourceVersion", "the object has been modified"), ("uid", "the uid is another")):
            expected = (body.get("metadata") or {}).get(key)
            if expected and expected != before["metadata"][key]:
                raise Conflict(f"patch {resource} {name}: {said}", status=409, reason="Conflict")
        given = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
        if resource.kind in _WITH_STATUS:
            # The main resource ignores status and the subresource ignores all but status, as the API server does.
            given = {key: value for key, value in given.items() if (key == "status") == (subresource == "status")}
        after = copy.deepcopy(before)
        _merge(after, given, by_type=strategic)
        if after != before:
            self._store(resource, self._key(resource, namespace, name), after, Change.MODIFIED)
        return copy.deepcopy({"metadata": after["metadata"]})

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        propagation: str = "Background",  # noqa: ARG002 - nothing here owns anything
        uid: str | None = None,
    ) -> bool:
        self._call("delete", resource, name)
        key = self._key(resource, namespace, name)
        found = self._all(resource).get(key)
        if found is None or (uid is not None and found["metadata"]["uid"] != uid):
            return False
        self._remove(resource, key)
        return True

    async def delete_collection(
        self, resource: Resource, *, namespace: str | None = None, label_selector: str = ""
    ) -> None:
        self._call("deletecollection", resource, "")
        for item in self._select(resource, namespace, label_selector, ""):
            self._remove(resource, (item["metadata"].get("namespace", ""), item["metadata"]["name"]))

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncGenerator[WatchEvent]:
        self._call("watch", resource, "")
        queue: asyncio.Queue[WatchEvent] = asyncio.Queue()
        self._watchers.append((resource, queue))
        try:
            for item in self._select(resource, namespace, label_selector, field_selector):
                yield WatchEvent(Change.ADDED, copy.deepcopy(item))
            yield SYNCED
            while True:
                event = await queue.get()
                if self._chosen(event.object, namespace, label_selector, field_selector):
                    yield event
        finally:
            self._watchers.remove((resource, queue))

    def _call(self, verb: str, resource: Resource, name: str) -> None:
        self.calls.append((verb, resource.kind, name))
        error = self.refuse.get((verb, resource.kind))
        if error is not None:
            raise error

    def _all(self, resource: Resource) -> dict[Key, Manifest]:
        return self._objects.setdefault(resource, {})

    def _key(self, resource: Resource, namespace: str | None, name: str) -> Key:
        if resource.namespaced and not namespace:
            raise Invalid(f"{resource} {name}: a namespace is required", status=400)
        return (namespace or "") if resource.namespaced else "", name

    def _find(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        try:
            return self._all(resource)[self._key(resource, namespace, name)]
        except KeyError:
            raise NotFound(f"{resource} {name} not found", status=404, reason="NotFound") from None

    def _select(self, resource: Resource, namespace: str | None, labels: str, fields: str) -> Manifests:
        return [item for item in self._all(resource).values() if self._chosen(item, namespace, labels, fields)]

    def _chosen(self, item: Manifest, namespace: str | None, labels: str, fields: str) -> bool:
        metadata = item["metadata"]
        if namespace and metadata.get("namespace") != namespace:
            return False
        return matches_labels(metadata.get("labels", {}), labels) and matches_fields(item, fields)

    def _store(self, resource: Resource, key: Key, manifest: Manifest, change: Change) -> None:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        self._all(resource)[key] = manifest
        self._tell(resource, WatchEvent(change, copy.deepcopy(manifest)))

    def _remove(self, resource: Resource, key: Key) -> None:
        self._tell(resource, WatchEvent(Change.DELETED, self._all(resource).pop(key)))

    def _tell(self, resource: Resource, event: WatchEvent) -> None:
        for watched, queue in self._watchers:
            if watched == resource:
                queue.put_nowait(event)


def _merge(target: Manifest, patch: Manifest, *, by_type: bool) -> None:
    """JSON merge patch; with `by_type` lists of objects that have a `type` are merged by it, as conditions are."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value, by_type=by_type)
        elif by_type and isinstance(value, list) and all(isinstance(item, dict) and "type" in item for item in value):
            merged = {item["type"]: item for item in target.get(key, ())}
            for item in value:
                if item.get("$patch") == "delete":
                    merged.pop(item["type"], None)
                else:
                    both = {**merged.get(item["type"], {}), **item}
                    merged[item["type"]] = {key: inner for key, inner in both.items() if inner is not None}
            target[key] = list(merged.values())
        else:
            target[key] = value
