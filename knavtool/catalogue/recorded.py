"""What a run records of a component's kinds: which fields say how pods are queued and bound together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Pointer = tuple[str, ...]
"""The keys on the way to a field; `*` stands for every item of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLink:
    """Where a pod has the name of its gang or queue: a label, an annotation or a field; one of them is given."""

    label: str = ""
    annotation: str = ""
    field: Pointer = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something is true while a condition is True, or while a field has one of some values."""

    condition: str = ""
    field: Pointer = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Amounts by resource: those of a map, or of `amount` of each item of a list that is named by `resource`.

    `prefix` is what the names of resources begin with in a map; others are left out.
    """

    map: Pointer = ()
    prefix: str = ""
    list: Pointer = ()
    resource: str = ""
    amount: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedKind:
    """One kind, in whatever version it is served.

    `role` is `gang` (pods start together, or are admitted together), `queue` (has a quota, or leads to one), `claim` or
    `owner` (between pods and what is submitted). A quota is for the pods that name the queue, or for those of its
    namespace if `of_namespace`. `parent` is the kind above a queue, whose name is in the value `parent`. An owner with
    `only_pods` owns no other owner.
    """

    group: str
    kind: str
    role: str
    pods: PodLink | None = None
    values: Mapping[str, Pointer] = field(default_factory=dict)
    moments: Mapping[str, Moment] = field(default_factory=dict)
    quota: Quota | None = None
    of_namespace: bool = False
    parent: str = ""
    only_pods: bool = False

    @property
    def title(self) -> str:
        """As it is written with its group: `Workload.kueue.x-k8s.io`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


def read_recorded(entries: list[Mapping[str, Any]]) -> tuple[RecordedKind, ...]:
    """The kinds of the part `recorded` of a record, which fits its schema."""
    return tuple(
        RecordedKind(
            group=entry["group"],
            kind=entry["kind"],
            role=entry["role"],
            pods=read_link(entry["pods"]) if "pods" in entry else None,
            values={name: _pointer(text) for name, text in entry.get("values", {}).items()},
            moments={name: _moment(one) for name, one in entry.get("moments", {}).items()},
            quota=_quota(entry["quota"]) if "quota" in entry else None,
            of_namespace=entry.get("of") == "namespace",
            parent=entry.get("parent", ""),
            only_pods=entry.get("owns") == "pods",
        )
        for entry in entries
    )


def read_link(link: Mapping[str, str]) -> PodLink:
    """Where a pod has a name."""
    return PodLink(
        label=link.get("label", ""),
        annotation=link.get("annotation", ""),
        field=_pointer(link["field"]) if "field" in link else (),
    )


def find(given: object, pointer: Pointer) -> Any:
    """What a pointer leads to; None if it leads nowhere, and a list of all that it leads to if it has a `*`."""
    for number, key in enumerate(pointer):
        if key == "*":
            items = given if isinstance(given, list) else []
            found = [find(item, pointer[number + 1 :]) for item in items]
            deeper = "*" in pointer[number + 1 :]
            return [one for each in found for one in each] if deeper else [one for one in found if one is not None]
        if not isinstance(given, dict) or key not in given:
            return [] if "*" in pointer[number:] else None
        given = given[key]
    return given


def _moment(given: Mapping[str, Any]) -> Moment:
    if "condition" in given:
        return Moment(condition=given["condition"])
    return Moment(field=_pointer(given["field"]), values=tuple(given["in"]))


def _quota(given: Mapping[str, str]) -> Quota:
    if "map" in given:
        return Quota(map=_pointer(given["map"]), prefix=given.get("prefix", ""))
    return Quota(list=_pointer(given["list"]), resource=given["resource"], amount=given["amount"])


def _pointer(text: str) -> Pointer:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
