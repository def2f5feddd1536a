"""Objects that a task chooses by kind, and by name, labels or owners, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from knavtool.documents.schema import nearest
from knavtool.errors import ClusterError, InvalidDocument
from knavtool.kube.watching import key_of
from knavtool.workflow.observing.ownership import Ownership
from knavtool.workflow.submission import Submitted, only_namespace
from knavtool.workflow.task import DEFAULT_NAMESPACE
from knavtool.workflow.wording import plural, some

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.kube.gateway import Gateway, WatchEvent
    from knavtool.kube.resource import Manifest, Manifests, Resource
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context

_SHOWN = 10


def selection_parameters(purpose: str) -> dict[str, Any]:
    """The schemas of a reference to a SubmitObj, and of what `Selection` reads instead of it."""
    return {
        "refTaskId": {
            "$ref": "#/$defs/name",
            "description": "The id of an earlier SubmitObj task whose objects are meant; either this or a kind.",
        },
        "apiVersion": {
            "$ref": "#/$defs/apiVersion",
            "description": "The API version of the objects, like batch/v1; together with kind.",
        },
        "kind": {"$ref": "#/$defs/kind", "description": f"The kind of the objects to {purpose}, whoever made them."},
        "name": {"$ref": "#/$defs/name", "description": "The name of the object."},
        "namespace": {
            "$ref": "#/$defs/dnsLabel",
            "description": (
                "The namespace of the objects. If it is left out: default for a name, that of the owners for "
                "ownedBy, otherwise all."
            ),
        },
        "labels": {
            "$ref": "#/$defs/labels",
            "minProperties": 1,
            "description": "Labels that the objects have, all of them.",
        },
        "ownedBy": {
            "$ref": "#/$defs/name",
            "description": (
                "The id of an earlier SubmitObj task; its objects own these, directly or through owners in between."
            ),
        },
    }


def selection_conditions(*others: str) -> list[dict[str, Any]]:
    """Which of these parameters go together; `others` are those of the task that go with a kind only."""
    narrowing = ("name", "namespace", "labels", "ownedBy", *others)
    apart = {field: _excluded("either refTaskId or kind, not both") for field in ("apiVersion", "kind")}
    apart |= {field: _excluded(f"{field} together with kind, not with refTaskId") for field in narrowing}
    named = {field: _excluded(f"either name or {field}, not both") for field in ("labels", "ownedBy")}
    return [
        {
            "anyOf": [{"required": ["refTaskId"]}, {"required": ["kind"]}],
            "x-expected": "refTaskId, or apiVersion and kind",
        },
        {"if": {"required": ["refTaskId"]}, "then": {"properties": apart}},
        {"if": {"required": ["name"]}, "then": {"properties": named}},
    ]


def kind_conditions(*, index: bool = False, narrowed: bool = False) -> dict[str, Any]:
    """What a kind needs beside it; a task has an `index` that does not, or has to be `narrowed` to some objects."""
    whole: dict[str, Any] = {"required": ["apiVersion"]}
    if index:
        whole["properties"] = {"index": _excluded("index together with refTaskId, not with kind")}
    part = {
        "anyOf": [{"required": ["name"]}, {"required": ["labels"]}, {"required": ["ownedBy"]}],
        "x-expected": "at least one of name, labels and ownedBy",
    }
    return {"if": {"required": ["kind"]}, "then": {"allOf": [whole, part]} if narrowed else whole}


def _excluded(expected: str) -> dict[str, Any]:
    return {"not": {}, "x-expected": expected}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was written: a kind, and what narrows it; `owner` is the id of a SubmitObj."""

    document: TaskDocument
    api_version: str
    kind: str
    name: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    @classmethod
    def of(cls, document: TaskDocument) -> Self | None:
        """None if the task refers to a SubmitObj instead."""
        params = document.params
        if "kind" not in params:
            return None
        return cls(
            document=document,
            api_version=params["apiVersion"],
            kind=params["kind"],
            name=params.get("name", ""),
            namespace=params.get("namespace", ""),
            labels=params.get("labels") or {},
            owner=params.get("ownedBy", ""),
        )

    def violations(self, scope: Scope) -> Iterator[Violation]:
        """An owner that no earlier task submits."""
        if self.owner and self.owner not in scope.submissions:
            yield scope.unsubmitted(self.document, self.owner, "ownedBy")

    def facts(self) -> dict[tuple[str, ...], str]:
        """What is certain of each of the objects, by its path."""
        facts: dict[tuple[str, ...], str] = {("apiVersion",): self.api_version, ("kind",): self.kind}
        if self.name:
            facts["metadata", "name"] = self.name
        if self.namespace:
            facts["metadata", "namespace"] = self.namespace
        return facts

    def misplaced(self, resource: Resource) -> Violation | None:
        """A namespace for a kind that lives in none."""
        if not self.namespace or resource.namespaced:
            return None
        return self.document.violation(f"a {self.kind} lives in no namespace; leave it out", "namespace")

    def place(self, resource: Resource, owners: Iterable[str | None]) -> str | None:
        """Where to look: a namespace, or None for all of them and for kinds that live in none.

        A name is looked for in one namespace, as kubectl does it; labels in all, because a check that nothing is
        there must not miss what is elsewhere. `owners` are the namespaces of the owners, None for one in none.
        """
        if not resource.namespaced:
            return None
        if self.namespace or self.name:
            return self.namespace or DEFAULT_NAMESPACE
        return only_namespace(owners) if self.owner else None

    async def choose(self, context: Context) -> Choice:
        """Find the kind; raises NotFound if the cluster does not serve it, InvalidDocument if it has no namespaces."""
        resource = await context.gateway.discover(self.api_version, self.kind)
        if wrong := self.misplaced(resource):
            raise InvalidDocument([wrong])
        owners = context.submissions[self.owner].objects() if self.owner else []
        return Choice(
            selection=self,
            resource=resource,
            namespace=self.place(resource, [item.namespace for item in owners]),
            gateway=context.gateway,
            ownership=Ownership(context.gateway, [item.uid for item in owners]) if self.owner else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A selection in a cluster."""

    selection: Selection
    resource: Resource
    namespace: str | None
    gateway: Gateway
    ownership: Ownership | None

    @property
    def _fields(self) -> str:
        return f"metadata.name={self.selection.name}" if self.selection.name else ""

    @property
    def _labels(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.selection.labels.items())

    async def takes(self, live: Manifest) -> bool | None:
        """Whether one of the objects that `candidates` and `watch` tell of is meant; None if its owners are gone."""
        return await self.ownership.below(live) if self.ownership is not None else True

    async def candidates(self) -> Manifests:
        """What may be meant of what is there now; `takes` decides."""
        return await self.gateway.list(
            self.resource, namespace=self.namespace, label_selector=self._labels, field_selector=self._fields
        )

    def watch(self) -> AsyncGenerator[WatchEvent]:
        """Candidates, from now on.

        A watch of its own and not a store of the run, because it is narrow, and because it begins with what the
        server has now: what other tasks wrote a moment ago is in it.
        """
        return self.gateway.watch(
            self.resource, namespace=self.namespace, label_selector=self._labels, field_selector=self._fields
        )

    def words(self) -> str:
        """`Workload owned by 'job' in namespace default`."""
        chosen = self.selection
        labels = f"with {self._labels}" if chosen.labels else ""
        owner = f"owned by {chosen.owner!r}" if chosen.owner else ""
        where = f"in namespace {self.namespace}" if self.namespace else ""
        return " ".join(filter(None, (chosen.kind, chosen.name, labels, owner, where)))

    async def instead(self) -> str:
        """`there are: default/a, default/b`: what there is of the kind when nothing is chosen; empty if unknown."""
        try:
            names = await self._names(self.namespace)
            if not names and self.namespace:
                others = await self._names(None)
                return f"in other namespaces there are: {some(others, _SHOWN)}" if others else "there is none anywhere"
        except ClusterError:
            return ""
        if not names:
            return f"there are no {plural(self.selection.kind)}"
        near = nearest(self.selection.name, [name.rpartition("/")[2] for name in names]) if self.selection.name else ""
        return near.removeprefix("; ") or f"there are: {some(names, _SHOWN)}"

    async def _names(self, namespace: str | None) -> list[str]:
        pages = self.gateway.pages(self.resource, namespace=namespace, metadata_only=True)
        return ["/".join(filter(None, key_of(item))) async for page in pages for item in page]


def whole(resource: Resource, live: Manifest) -> Manifest:
    """A listed object with its kind, which a list says only once for all."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **live}


def known(resource: Resource, live: Manifest) -> Submitted:
    """A live object as tasks hold it."""
    metadata = live["metadata"]
    return Submitted(
        resource=resource,
        namespace=metadata.get("namespace"),
        name=metadata["name"],
        uid=metadata["uid"],
        existed=True,
    )
