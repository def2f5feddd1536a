"""How the control plane differs from kwokctl's defaults, so that it is fast for this use.

Each group stands for one idea; docs/tuning.md says what each of them gives. A cluster of this engine is thrown away
after use, runs on a few cores and has nodes that are never overloaded: that is what makes these settings right here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROCESSES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


BEHAVIOR: Mapping[str, Mapping[str, str]] = {
    # As in other clusters; kwokctl takes five times as long, and failed nodes are tainted so late.
    "kube-controller-manager": {"node-monitor-period": "5s"},
}
"""Arguments by process that are no matter of speed, and hold whatever the tuning."""

FRONT_PROXY: Mapping[str, str] = {
    # The certificate that kwokctl gives the API server as a client; whoever has its key may do everything anyway.
    "requestheader-allowed-names": "kwok-admin",
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
}
"""Arguments of the API server by which servers of aggregated APIs know on whose behalf it asks them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One idea: arguments and environment by process."""

    why: str
    args: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


GROUPS: Mapping[str, Group] = {
    "memory": Group(
        why="collecting garbage at every doubling of a small heap costs a third of the time; memory is there",
        environment={
            **{name: {"GOGC": "800", "GOMEMLIMIT": "1GiB"} for name in PROCESSES},
            # With ten thousand nodes it would take more than five gigabytes otherwise.
            "kube-apiserver": {"GOGC": "800", "GOMEMLIMIT": "3GiB"},
        },
    ),
    "processors": Group(
        why="their many small pieces of work cost more when they are spread; the API server needs the processors",
        environment={name: {"GOMAXPROCS": "1"} for name in ("etcd", "kube-controller-manager")},
    ),
    "etcd": Group(
        why="the data need not survive a crash of the machine, so nothing waits for the disk",
        args={"etcd": {"unsafe-no-fsync": "true", "snapshot-count": "100000", "log-level": "warn"}},
    ),
    "admission": Group(
        why="a new virtual node is Ready at once; tainting it first costs three more writes per node",
        args={
            "kube-apiserver": {"disable-admission-plugins": "TaintNodesByCondition"},
            "kube-controller-manager": {"controllers": "*,-ttl"},
        },
    ),
    "alone": Group(
        why="each process runs once; an election only delays its start, and by 15 s after it was killed",
        args={"kube-controller-manager": {"leader-elect": "false"}, "kube-scheduler": {"leader-elect": "false"}},
    ),
    "profiling": Group(
        why="the scheduler notes each moment it waits for a lock, for profiles that nobody takes",
        args={"kube-scheduler": {"contention-profiling": "false"}},
    ),
    "events": Group(
        why="events of a test are read within minutes, if at all",
        args={"kube-apiserver": {"event-ttl": "15m"}},
    ),
    "workers": Group(
        why="a thousand Jobs at once are usual here, and five are synced at a time by default",
        args={"kube-controller-manager": {"concurrent-job-syncs": "16", "concurrent-gc-syncs": "32"}},
    ),
}


def chosen(names: str) -> list[Group]:
    """The groups of a comma list of names; `all` and `none` are names too."""
    if names == "all":
        return list(GROUPS.values())
    listed = [] if names == "none" else [name.strip() for name in names.split(",")]
    if unknown := [name for name in listed if name not in GROUPS]:
        known = ", ".join(GROUPS)
        raise UsageError(f"--tuning {names}: no group {unknown[0]!r}", hint=f"use all, none, or some of {known}")
    return [GROUPS[name] for name in listed]
