"""Which kinds a run records besides pods and nodes: data of Kubernetes and of the components' records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.catalogue.recorded import PodLink, RecordedKind, find, read_recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knavtool.catalogue.records import Component
    from knavtool.kube.resource import Manifest

KUBERNETES = Path(__file__).with_name("kubernetes.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedKinds:
    """All kinds that are known, and where pods name their queues."""

    kinds: tuple[RecordedKind, ...] = ()
    pod_queues: tuple[PodLink, ...] = ()
    links: tuple[tuple[str, PodLink], ...] = field(init=False)
    """The titles of kinds of gangs, and where a pod has the name of its gang."""

    def __post_init__(self) -> None:
        """Gather the links."""
        links = tuple((kind.title, kind.pods) for kind in self.kinds if kind.pods is not None)
        object.__setattr__(self, "links", links)

    def needed(self, submitted: Iterable[tuple[str, str]]) -> Iterator[RecordedKind]:
        """The kinds that say something about pods of what is submitted, given as (group, kind).

        Owners are followed only if something else may own them: 10,000 Jobs that own their pods need no watch.
        """
        known = {(kind.group, kind.kind): kind for kind in self.kinds}
        groups = {"", *(kind.group for kind in self.kinds)}

        def may_own_owners(one: tuple[str, str]) -> bool:
            if one in known:
                return known[one].role == "owner" and not known[one].only_pods
            # A kind of an unknown group may own anything; the other kinds of a known one have no pods.
            return not (one[0] in groups or _built_in(one[0]))

        owners = any(map(may_own_owners, submitted))
        return (kind for kind in self.kinds if owners or kind.role != "owner")


def _built_in(group: str) -> bool:
    return group.endswith(".k8s.io")


def all_kinds(components: Iterable[Component]) -> RecordedKinds:
    """Those of Kubernetes and of all components."""
    import yaml

    own = read_recorded(yaml.load(KUBERNETES.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    several = list(components)
    return RecordedKinds(
        kinds=(*own, *(kind for one in several for kind in one.recorded)),
        pod_queues=tuple(one.pod_queue for one in several if one.pod_queue is not None),
    )


def name_in(pod: Manifest, link: PodLink) -> str:
    """The name that a pod has there; empty if it has none."""
    metadata = pod["metadata"]
    if link.label:
        return str((metadata.get("labels") or {}).get(link.label, ""))
    if link.annotation:
        return str((metadata.get("annotations") or {}).get(link.annotation, ""))
    found = find(pod, link.field)
    return found if isinstance(found, str) else ""
