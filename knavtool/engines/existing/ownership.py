"""Whose an object in a cluster is: what is not provably ours is somebody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.engines.existing.installed import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.engines.existing.installation import Ref
    from knavtool.engines.existing.installed import Installed
    from knavtool.kube.resource import Manifest

_RELEASE = "meta.helm.sh/release-name"
_RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"


def released_by(item: Manifest) -> tuple[str, ...]:
    """Name and namespace of the Helm release that an object belongs to; empty if there is none."""
    annotations = item["metadata"].get("annotations") or {}
    return (annotations[_RELEASE], annotations.get(_RELEASE_NAMESPACE, "")) if _RELEASE in annotations else ()


def component_of(item: Manifest) -> str:
    """The component in whose name `cluster up` sent an object; "" if the object does not say so."""
    return str((item["metadata"].get("labels") or {}).get(LABEL, ""))


@dataclass(frozen=True, slots=True)
class ManagedObjects:
    """What some components prove to be theirs.

    `sent` tells which of them sent an object; the object says the same by its label, unless it is `unlabelled`, from an
    earlier version. Neither is enough alone: labels are copied, and names are used again.
    """

    sent: Mapping[Ref, frozenset[str]]
    unlabelled: frozenset[Ref]
    makes: frozenset[Ref]
    releases: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, records: Iterable[Installed]) -> ManagedObjects:
        """What the records say."""
        known = list(records)
        sent: dict[Ref, frozenset[str]] = {}
        for one in known:
            sent.update({ref: sent.get(ref, frozenset()) | {one.name} for ref in one.objects})
        return cls(
            sent=sent,
            unlabelled=frozenset(ref for one in known for ref in one.unlabelled),
            makes=frozenset(ref for one in known for ref in one.makes),
            releases=frozenset(one.release for one in known if one.release is not None),
        )

    def sent_by_us(self, item: Manifest, ref: Ref) -> bool:
        """Whether `cluster up` sent an object that is in the cluster."""
        return ref in self.sent and (ref in self.unlabelled or component_of(item) in self.sent[ref])

    def has(self, item: Manifest, ref: Ref) -> bool:
        """Whether an object is ours by itself: sent by knavtool, or one that a component always makes."""
        return self.sent_by_us(item, ref) or ref in self.makes
