"""An ordered set of manifests and its text forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Manifest: TypeAlias = dict[str, Any]

_RANK = {
    kind: rank
    for rank, kind in enumerate(
        (
            "Namespace",
            "CustomResourceDefinition",
            "PriorityClass",
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "Secret",
            "ConfigMap",
            "Service",
            "Node",
            "Stage",
        )
    )
}
_HOOK = "helm.sh/hook"
_WORKLOADS = len(_RANK)
_WEBHOOKS = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}


def rank(manifest: Manifest) -> int:
    """Where a kind stands in the order of installation: what others need comes first, webhooks come last."""
    kind = manifest.get("kind", "")
    return _WORKLOADS + 1 if kind in _WEBHOOKS else _RANK.get(kind, _WORKLOADS)


def is_hook(manifest: Manifest) -> bool:
    """Whether Helm runs it at some point of a release's life, instead of keeping it."""
    return _HOOK in (manifest["metadata"].get("annotations") or {})


@dataclass(frozen=True, slots=True)
class ManifestSet:
    """Manifests in the order in which they are installed."""

    manifests: tuple[Manifest, ...] = field(default_factory=tuple)

    @classmethod
    def ordered(cls, manifests: list[Manifest]) -> ManifestSet:
        """Sort by kind; the given order stays inside a kind."""
        return cls(tuple(sorted(manifests, key=rank)))

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    def __len__(self) -> int:
        return len(self.manifests)
