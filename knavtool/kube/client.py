"""The gateway over HTTP: raw JSON, bounded retries, one connection pool."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

from knavtool.errors import ClusterError, Conflict, Expired, NotFound
from knavtool.kube.discovery import Discovery, ServedKinds, served_kinds
from knavtool.kube.gateway import AGE_TOLERANCE, FIELD_MANAGER, written_by_us
from knavtool.kube.resource import Manifest, Manifests, Resource
from knavtool.kube.server import Server
from knavtool.kube.watching import watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from knavtool.kube.connection.transport import Transport
    from knavtool.kube.gateway import WatchEvent

_REFUSED, _SERVER_ERROR = 400, 500
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)


class Client(Server):
    """`gateway.Gateway` over HTTP; made by `connect`.

    Answers to writes carry the object's metadata only: nobody here needs the rest, and the server saves the encoding.
    Lists that begin a watch come in pages of so many objects; two of them are in memory at a time.
    """

    def __init__(self, transport: Transport, *, page: int = 500) -> None:
        super().__init__(transport)
        self._page = page
        self._discovery = Discovery(transport)

    async def discover(self, api_version: str, kind: str) -> Resource:
        return await self._discovery.find(api_version, kind)

    async def kinds(self) -> ServedKinds:
        return await served_kinds(self._transport)

    async def may(self, verb: str, resource: Resource, *, subresource: str = "", namespace: str | None = None) -> bool:
        attributes = {
            "verb": verb,
            "group": resource.group,
            "resource": resource.plural,
            "subresource": subresource,
            "namespace": namespace or "",
        }
        review = {"apiVersion": _REVIEWS.api_version, "kind": _REVIEWS.kind, "spec": {"resourceAttributes": attributes}}
        asked = f"ask whether this account may {verb} {resource}"
        answer = await self._transport.request("POST", _REVIEWS.path(), asked, body=orjson.dumps(review))
        return bool(answer["status"]["allowed"])

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Manifest:
        return await self._transport.request(
            "GET", resource.path(namespace, name), f"get {resource} {_where(namespace, name)}"
        )

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
        async for page in self.raw_pages(
            resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            limit=limit,
            metadata_only=metadata_only,
        ):
            yield page["items"] or []

    async def raw_pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        limit: int | None = None,
        metadata_only: bool = False,
    ) -> AsyncIterator[Manifest]:
        """Like `pages`, with each page's list metadata."""
        query = {"limit": str(limit or self._page), "labelSelector": label_selector, "fieldSelector": field_selector}
        path = resource.path(namespace)
        headers = {"Accept": _METADATA_LIST} if metadata_only else None
        while True:
            try:
                page = await self._transport.request("GET", path, f"list {resource}", query=query, headers=headers)
            except Expired as error:
                # The list took longer than the server keeps its snapshot; a token to go on from newer data
                # would mix two states, so the caller starts again.
                raise Expired(error.message, status=410, reason=error.reason, hint="try again") from error
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Manifests:
        found = []
        async for page in self.pages(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector
        ):
            found.extend(page)
        return found

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        metadata = (orjson.loads(body) if isinstance(body, bytes) else body).get("metadata", {})
        name = metadata.get("name", "")
        began = time.monotonic()
        try:
            return await self._transport.request(
                "POST",
                resource.path(namespace),
                f"create {resource} {_where(namespace, name or metadata.get('generateName', ''))}",
                body=data,
                query={"fieldManager": FIELD_MANAGER},
                headers={"Accept": _METADATA},
            )
        except ClusterError as error:
            if not error.perhaps_done or not name or not _REFUSED <= error.status < _SERVER_ERROR:
                raise
            # An earlier attempt was sent but not answered: what is refused now may be there all the same, and may be
            # what stands in its own way, by its name or by a quota.
            try:
                found = await self.get(resource, name, namespace=namespace)
            except ClusterError:
                raise error from None
            if not written_by_us(found) or self.age(found) > time.monotonic() - began + AGE_TOLERANCE:
                error.perhaps_done = False
                raise
            return found

    async def dry_run_create(self, resource: Resource, body: Manifest, *, namespace: str | None = None) -> Manifest:
        return await self._transport.request(
            "POST",
            resource.path(namespace),
            f"create {resource} as a dry run",
            body=orjson.dumps(body),
            query={"fieldManager": FIELD_MANAGER, "dryRun": "All"},
        )

    async def apply(
        self,
        resource: Resource,
        name: str,
        body: Manifest,
        *,
        namespace: str | None = None,
        force: bool = True,
        subresource: str | None = None,
    ) -> Manifest:
        return await self._transport.request(
            "PATCH",
            resource.path(namespace, name, subresource),
            f"apply {resource} {_where(namespace, name, subresource)}",
            body=orjson.dumps(body),
            query={"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"},
            headers={"Content-Type": "application/apply-patch+yaml", "Accept": _METADATA},
        )

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
        kind = "strategic-merge-patch" if strategic else "merge-patch"
        return await self._transport.request(
            "PATCH",
            resource.path(namespace, name, subresource),
            f"patch {resource} {_where(namespace, name, subresource)}",
            body=orjson.dumps(body),
            query={"fieldManager": FIELD_MANAGER},
            headers={"Content-Type": f"application/{kind}+json", "Accept": _METADATA},
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        propagation: str = "Background",
        uid: str | None = None,
    ) -> bool:
        options: Manifest = {"propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._transport.request(
                "DELETE",
                resource.path(namespace, name),
                f"delete {resource} {_where(namespace, name)}",
                body=orjson.dumps(options),
                headers={"Accept": _METADATA},
            )
        except NotFound as error:
            # If an earlier attempt was sent but not answered, that one deleted it.
            return error.perhaps_done
        except Conflict as error:
            if uid is None:
                raise
            return error.perhaps_done
        return True

    async def delete_collection(
        self, resource: Resource, *, namespace: str | None = None, label_selector: str = ""
    ) -> None:
        await self._transport.request(
            "DELETE",
            resource.path(namespace),
            f"delete all {resource}",
            body=orjson.dumps({"propagationPolicy": "Background"}),
            query={"labelSelector": label_selector},
            headers={"Accept": _METADATA_LIST},
        )

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncGenerator[WatchEvent]:
        return watch(
            self,
            self._transport,
            resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            retry_timeout=self._transport.retry_timeout,
        )


def _where(namespace: str | None, name: str, subresource: str | None = None) -> str:
    return "/".join(filter(None, (namespace, name, subresource)))
