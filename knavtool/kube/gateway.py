"""The one way to the API server, as an interface.

`client.Client` talks HTTP, `memory.Memory` is the fake for unit tests; both pass the suite in `tests/contract`.
Objects are plain dicts. Every method raises `ClusterError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from knavtool.errors import ClusterError
    from knavtool.kube.discovery import ServedKinds
    from knavtool.kube.resource import Manifest, Manifests, Resource

FIELD_MANAGER = "knavtool"
"""Marks the fields this tool owns in `metadata.managedFields`."""
AGE_TOLERANCE = 2.0
"""Seconds: servers tell times in whole ones, and an answer is on its way for a moment."""


class Change(StrEnum):
    """What a watch saw."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change of one object, or `synced` when the initial list has been handed over completely.

    `interrupted` says why nothing is told from here to the next `synced`; listeners of a store get it.
    """

    change: Change | None
    object: Manifest
    interrupted: str = ""

    @property
    def synced(self) -> bool:
        """True for the mark that ends the initial list."""
        return self.change is None and not self.interrupted


SYNCED = WatchEvent(None, {})


def interruption(why: str) -> WatchEvent:
    """That changes are missed from now on."""
    return WatchEvent(None, {}, interrupted=why or "unknown")


class Gateway(Protocol):
    """The verbs; `namespace=None` means cluster-scoped or all namespaces."""

    @property
    def last_failure(self) -> ClusterError | None:
        """Why the server did not serve the request that ended last, None if it did; a refusal is an answer."""

    def age(self, manifest: Manifest) -> float:
        """How many seconds ago an object was made, by the clock of the server and as of its last answer.

        It is right to `AGE_TOLERANCE`; 0 if the server does not tell.
        """

    async def discover(self, api_version: str, kind: str) -> Resource:
        """The served resource of exactly this version and kind; raises NotServed."""

    async def kinds(self) -> ServedKinds:
        """All kinds that the server serves, each in the version that it prefers."""

    async def may(self, verb: str, resource: Resource, *, subresource: str = "", namespace: str | None = None) -> bool:
        """Whether the server lets this account do that; `*` as verb, group or plural asks for all of them."""

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Manifest:
        """Read one object."""

    def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
        metadata_only: bool = False,
    ) -> AsyncIterator[Manifests]:
        """List in pages, so that a large list never lies in memory whole."""

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Manifests:
        """List everything at once."""

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        """POST; `body` may be encoded JSON. Raises AlreadyExists."""

    async def dry_run_create(self, resource: Resource, body: Manifest, *, namespace: str | None = None) -> Manifest:
        """The object as the server would create it, after defaults and admission; nothing is stored."""

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
        """Server-side apply."""

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
        """JSON merge patch, or strategic merge patch."""

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        propagation: str = "Background",
        uid: str | None = None,
    ) -> bool:
        """Delete one object; False if it was not there (or is another object than `uid`)."""

    async def delete_collection(
        self, resource: Resource, *, namespace: str | None = None, label_selector: str = ""
    ) -> None:
        """Delete all that match in one request."""

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncGenerator[WatchEvent]:
        """List, then SYNCED, then changes, for ever.

        A closed stream continues where it ended; after 410 or a restart of the server it lists again and
        hands over the difference, so that a consumer that folds the events never misses or doubles an object.
        """


def written_by_us(manifest: Manifest) -> bool:
    """Whether this tool owns fields of an object; an earlier run may have written them."""
    return any(entry.get("manager") == FIELD_MANAGER for entry in manifest["metadata"].get("managedFields", ()))
