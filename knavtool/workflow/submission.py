"""What a SubmitObj made of what it rendered: which objects exist, which were refused and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.errors import ExitCode, KnavError
from knavtool.workflow.references.amounts import Amount

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from knavtool.kube.resource import Resource
    from knavtool.workflow.references.scope import Scope

    Place = tuple[Resource, str | None]

_REASONS_SHOWN = 10


@dataclass(slots=True, kw_only=True)
class Submitted:
    """One object of a SubmitObj as it is in the cluster; `existed` when it was there before.

    `document` is the number of the template's document it comes from.
    """

    resource: Resource
    namespace: str | None
    name: str
    uid: str
    existed: bool = False
    document: int = 0
    version: int = 0
    """The resourceVersion of our last write: what a store shows of an earlier one is out of date."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name) as watches key their objects."""
        return self.namespace or "", self.name

    @property
    def place(self) -> Place:
        """Where it is listed and watched."""
        return self.resource, self.namespace

    def __str__(self) -> str:
        return f"{self.resource.kind} {'/'.join(filter(None, self.key))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One object that was to be created and was not: it does not exist, and `reason` says why."""

    group: str
    kind: str
    namespace: str | None
    name: str
    document: int
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(filter(None, (self.namespace, self.name)))}"

    def sentence(self) -> str:
        """`Job default/a: not created: exceeded quota`."""
        return f"{self}: not created: {self.reason}"


@dataclass(slots=True, kw_only=True)
class Instance:
    """What became of one rendering of the template: its first objects exist, the rest was refused.

    `pods` is what the names of its pods look like, if that is known, and `namespaces` where they may be.
    """

    objects: list[Submitted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    pods: re.Pattern[str] | None = None
    pod_count: int = 0
    namespaces: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        # The last document holds what the others are for.
        return str((self.refused or self.objects)[-1])


@dataclass(slots=True, kw_only=True)
class Submission:
    """The objects of one SubmitObj, those of all rounds of a loop together."""

    instances: list[Instance]

    @property
    def pod_count(self) -> int:
        """How many pods are expected, those of refused objects included."""
        return sum(instance.pod_count for instance in self.instances)

    @property
    def refused(self) -> list[Refused]:
        """What was not created."""
        return [refused for instance in self.instances for refused in instance.refused]

    @property
    def pod_namespaces(self) -> list[str | None]:
        """The namespaces that its pods may be in; None stands for all of them, and comes alone."""
        found = dict.fromkeys(namespace for instance in self.instances for namespace in instance.namespaces)
        return [None] if None in found else list(found)

    @property
    def places(self) -> list[Place]:
        """All kinds and namespaces of the objects."""
        return list(dict.fromkeys(item.place for item in self.objects()))

    def objects(self) -> list[Submitted]:
        """All that exist, as far as we know."""
        return [item for instance in self.instances for item in instance.objects]

    def block(self, index: int) -> Submission:
        """The part that came from one document: several objects of an instance if it is a list or a loop, or none."""
        return Submission(
            instances=[
                Instance(
                    objects=[item for item in instance.objects if item.document == index],
                    refused=[item for item in instance.refused if item.document == index],
                    pods=instance.pods,
                    pod_count=instance.pod_count,
                    namespaces=instance.namespaces,
                )
                for instance in self.instances
            ]
        )

    @classmethod
    def together(cls, submissions: Iterable[Submission]) -> Submission:
        """What the rounds of a loop submitted, as one."""
        return cls(instances=[instance for each in submissions for instance in each.instances])


def refusals(given: Iterable[Refused]) -> Iterator[str]:
    """Why objects do not exist, those with the same reason in one line."""
    reasons: dict[str, list[Refused]] = {}
    for refused in given:
        reasons.setdefault(refused.reason, []).append(refused)
    for reason, items in list(reasons.items())[:_REASONS_SHOWN]:
        more = f" and {len(items) - 1} more objects" if len(items) > 1 else ""
        yield f"{items[0]}{more}: not created: {reason}"
    if len(reasons) > _REASONS_SHOWN:
        yield f"and {len(reasons) - _REASONS_SHOWN} more reasons"


class NotSubmitted(KnavError):
    """A task needs objects that a SubmitObj did not create; that SubmitObj failed, and the failure was tolerated."""

    exit_code = ExitCode.CHECK_FAILED

    @classmethod
    def because(cls, what: str, refused: Sequence[Refused], total: int) -> NotSubmitted:
        """Some of `total` objects were not `what` ("changed"), because they do not exist."""
        return cls(f"{len(refused)} of {total} objects were not {what}: {refused[0].sentence()}")


class Submissions:
    """What was submitted in a run, by the ids that one task can see; `kept` is shared by the whole run."""

    def __init__(self, scope: Scope, kept: dict[int, Submission]) -> None:
        self._scope = scope
        self._kept = kept

    def __getitem__(self, reference: str) -> Submission:
        keys = self._scope.submissions[reference].keys
        found = [self._kept[key] for key in keys if key in self._kept]
        if not found:
            raise NotSubmitted(f"the SubmitObj task {reference!r} has submitted nothing")
        return Submission.together(found)

    def __setitem__(self, id_: str, submission: Submission) -> None:
        (key,) = self._scope.submissions[id_].keys
        self._kept[key] = submission

    def pods_of_each(self, reference: str, counts: Mapping[int, Amount]) -> list[Amount]:
        """How many pods each of the instances has: by key as a check says it, otherwise as its podCount said it."""
        return [
            counts.get(key) or Amount.exactly(instance.pod_count)
            for key in self._scope.submissions[reference].keys
            if (part := self._kept.get(key)) is not None
            for instance in part.instances
        ]

    def by_uid(self) -> dict[str, list[Submitted]]:
        """All objects that the run has submitted; with `canExist` several tasks may have one object."""
        found: dict[str, list[Submitted]] = {}
        for submission in self._kept.values():
            for item in submission.objects():
                found.setdefault(item.uid, []).append(item)
        return found


def only_namespace(namespaces: Iterable[str | None]) -> str | None:
    """The one namespace that all are in, None if there are several: then all have to be looked at."""
    places = set(namespaces)
    return places.pop() if len(places) == 1 else None


def pod_namespaces(places: Iterable[Place]) -> list[str | None]:
    """Where the pods of objects in these places may be; None stands for all namespaces.

    The pods of an object are in its namespace. Those of a cluster-scoped one may be anywhere, unless it is of a kind
    that Kubernetes brings, as a Namespace or a PriorityClass: these have no pods.
    """
    found = dict.fromkeys(places)
    inside = list(dict.fromkeys(namespace for _, namespace in found if namespace is not None))
    elsewhere = any(namespace is None and not _built_in(resource) for resource, namespace in found)
    return [None] if elsewhere or (found and not inside) else [*inside]


def _built_in(resource: Resource) -> bool:
    return "." not in resource.group or resource.group.endswith(".k8s.io")
