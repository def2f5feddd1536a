"""What a recording says, gathered by pod, node and object. Moments are seconds since the recording began."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True, eq=False)
class Pod:
    """One pod; a moment is None if it did not come or nobody knows it.

    `requests` are numbers of cores, bytes and devices. `gangs` are the names of groups that the pod itself mentions, by
    their kind. `held` is what keeps it from a node, from each moment on: the names of its scheduling gates, or why no
    node fits. `late` says that it was there before it could be seen.
    """

    uid: str
    name: str
    namespace: str
    late: bool = False
    created: float | None = None
    bound: float | None = None
    running: float | None = None
    ended: float | None = None
    deleted: float | None = None
    node: str = ""
    runs: bool = False
    """Whether it was seen to run, be it without the moment at which it began."""
    outcome: str = ""
    owner_uid: str = ""
    owner_kind: str = ""
    owner: str = ""
    scheduler: str = ""
    priority: int | None = None
    queue: str = ""
    requests: Mapping[str, float] = field(default_factory=dict)
    asked: float | None = None
    """Seconds that it is to run; None if nobody says so."""
    gangs: Mapping[str, str] = field(default_factory=dict)
    held: list[tuple[float, str]] = field(default_factory=list)
    attempts: int = 0
    disrupted: float | None = None
    reason: str = ""
    by: str = ""

    @property
    def overrun(self) -> float | None:
        """Seconds that it ran longer than asked; None if one of the two is not known."""
        if self.running is None or self.ended is None or self.asked is None:
            return None
        return max(self.ended - self.running, 0.0) - self.asked

    @property
    def title(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def left(self) -> float | None:
        """When it gave its place back: it ended, or is gone."""
        return self.ended if self.ended is not None else self.deleted


@dataclass(slots=True, eq=False)
class Thing:
    """An object that owns pods, makes a gang of them, queues them or holds a quota.

    `values` are those of its record as they were last, `moments` what came true or ceased to be, with its reason.
    """

    uid: str
    kind: str
    name: str
    namespace: str = ""
    created: float | None = None
    deleted: float | None = None
    owner_uid: str = ""
    owner_kind: str = ""
    owner: str = ""
    role: str = ""
    of: str = ""
    parent_kind: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    quota: Mapping[str, float] = field(default_factory=dict)
    moments: list[tuple[float, str, bool, str]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """`namespace/name`, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(slots=True, eq=False)
class NodeState:
    """A node from a moment on; `allocatable` is empty when it is gone or not Ready."""

    at: float
    name: str
    allocatable: Mapping[str, float]
    pool: str
    rack: str


@dataclass(slots=True, eq=False)
class Step:
    """A step of the run."""

    number: int
    parent: int | None = None
    kind: str = ""
    name: str = ""
    detail: str = ""
    started: float | None = None
    ended: float | None = None
    result: str = ""
    message: str = ""


@dataclass(slots=True, eq=False)
class Facts:
    """A whole recording, in an order that does not depend on that of its lines."""

    began: str = ""
    clock: str = "watch"
    clock_reason: str = ""
    end: float = 0.0
    whole: bool = False
    damaged: str = ""
    pods: list[Pod] = field(default_factory=list)
    things: dict[str, Thing] = field(default_factory=dict)
    nodes: list[NodeState] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    submitted: dict[str, tuple[float, int]] = field(default_factory=dict)
    """By uid of a submitted object: when, and how many pods it has; 0 if the workflow does not say."""
    gaps: list[tuple[str, str, float, float | None, str]] = field(default_factory=list)
    requests: list[tuple[float, str, str, str, int]] = field(default_factory=list)
    processes: list[tuple[float, str, float, float]] = field(default_factory=list)
    machine: list[tuple[float, float, float]] = field(default_factory=list)
    """(moment, processors, seconds that all processors together were busy)."""
    loop: list[tuple[float, float]] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    components: list[tuple[str, ...]] = field(default_factory=list)
    tunables: list[tuple[str, ...]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
