"""Groups of pods inside one object: those of one controller, those with the same label, or slices of so many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from knavtool.workflow.references.amounts import AmountDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.observing.pod_log import PodTimes

INDEX = ("batch.kubernetes.io/job-completion-index", "apps.kubernetes.io/pod-index")
"""The labels in which Kubernetes' own controllers number their pods."""


@dataclass(frozen=True, slots=True)
class PodGroup:
    """Pods that belong together; `title` is empty for all pods of an object."""

    title: str
    pods: Sequence[PodTimes]

    def domains(self, domain: Callable[[PodTimes], str]) -> dict[str, int]:
        """How many of the pods are in each domain."""
        counts: dict[str, int] = {}
        for times in self.pods:
            counts[domain(times)] = counts.get(domain(times), 0) + 1
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """How pods are divided: by the controller of kind `owner`, by a `label`, or into slices of `size`."""

    owner: str
    label: str
    size: int
    count: AmountDocument | None

    @classmethod
    def of(cls, document: TaskDocument) -> Self | None:
        """None if the parameter `groups` is not given."""
        given = document.params.get("groups")
        if given is None:
            return None
        return cls(
            owner=given.get("owner", ""),
            label=given.get("label", ""),
            size=int(given.get("size", 0)),
            count=AmountDocument.of(document, "groups", "count"),
        )

    def violations(self) -> Iterator[Violation]:
        """What the schema does not see."""
        if self.count is not None:
            yield from self.count.violations({})

    def labels(self) -> set[str]:
        """The labels of pods that are needed."""
        return {self.label} if self.label else set(INDEX) if self.size else set()

    def split(self, pods: Sequence[PodTimes], domain: Callable[[PodTimes], str]) -> list[PodGroup]:
        """The groups; pods that have no such controller or label are in none.

        Slices are those of one controller, in the order of the pods' index. Pods without an index have no order: they
        are taken domain by domain, so that slices are whole if any division makes them so.
        """
        groups: dict[str, list[PodTimes]] = {}
        for times in pods:
            for title in self._titles(times.pod):
                groups.setdefault(title, []).append(times)
        in_order = sorted(groups.items(), key=_in_order)
        if not self.size:
            return [PodGroup(title, members) for title, members in in_order]
        return [one for title, members in in_order for one in _slices(title, members, self.size, domain)]

    def complaint(self, pods: Sequence[PodTimes]) -> str:
        """Why there is no group, empty if nothing is to be said."""
        if self.label:
            return f"no pod has the label {self.label!r}"
        kinds = sorted({owner["kind"] for times in pods for owner in _controllers(times.pod)})
        return f"no pod is controlled by a {self.owner}" + (f", but by: {', '.join(kinds)}" if kinds else "")

    def _titles(self, pod: Manifest) -> Iterator[str]:
        if self.label:
            if (value := (pod["metadata"].get("labels") or {}).get(self.label)) is not None:
                yield f"{self.label}={value}"
        elif self.owner:
            yield from (_title(owner) for owner in _controllers(pod) if owner["kind"] == self.owner)
        else:
            yield next((_title(owner) for owner in _controllers(pod)), "")


def _slices(title: str, pods: list[PodTimes], size: int, domain: Callable[[PodTimes], str]) -> Iterator[PodGroup]:
    of = f" of {title}" if title else ""
    numbers = [_index(times.pod) for times in pods]
    if None not in numbers:
        slices: dict[int, list[PodTimes]] = {}
        for number, times in zip(numbers, pods, strict=True):
            slices.setdefault((number or 0) // size, []).append(times)
        for number, members in sorted(slices.items()):
            yield PodGroup(f"pods {number * size} to {number * size + size - 1}{of}", members)
        return
    ordered = sorted(pods, key=lambda times: (domain(times), times.pod["metadata"]["name"]))
    for start in range(0, len(ordered), size):
        members = ordered[start : start + size]
        names = ", ".join(times.pod["metadata"]["name"] for times in members)
        yield PodGroup(f"the pods {names}{of}", members)


def _index(pod: Manifest) -> int | None:
    labels = pod["metadata"].get("labels") or {}
    return next((int(labels[key]) for key in INDEX if str(labels.get(key, "")).isdecimal()), None)


def _controllers(pod: Manifest) -> Iterator[Mapping[str, Any]]:
    return (owner for owner in pod["metadata"].get("ownerReferences", ()) if owner.get("controller"))


def _title(owner: Mapping[str, Any]) -> str:
    return f"{owner['kind']} {owner['name']}"


def _in_order(item: tuple[str, object]) -> tuple[int, str]:
    """By length first, because ...-10 comes after ...-9."""
    return len(item[0]), item[0]
