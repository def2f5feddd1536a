"""How each process of the control plane tells that it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.engines.local.state.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

API_SERVER = "kube-apiserver"
MADE_BEFORE = (
    "?exclude=poststarthook/rbac/bootstrap-roles&exclude=poststarthook/scheduling/bootstrap-system-priority-classes"
)
"""Added to the API server's URL: of a cluster that was saved, what these make is there already."""
_HEALTH = {
    "etcd": ("http", "/health"),
    API_SERVER: ("https", "/readyz"),
    "kube-controller-manager": ("https", "/healthz"),
    "kube-scheduler": ("https", "/readyz"),
}


def control_plane_health(ports: Mapping[str, int]) -> dict[str, str]:
    """The URL that answers 200 once it works, by process."""
    found = {}
    for name, (scheme, path) in _HEALTH.items():
        port = ports.get(f"{name}/{scheme}")
        if port is not None:
            found[name] = f"{scheme}://{LOOPBACK}:{port}{path}"
    return found
