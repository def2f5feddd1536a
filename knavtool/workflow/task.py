"""What every task type offers, and the records that tasks and the runner exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from knavtool.documents.duration import parse_duration
from knavtool.errors import ExitCode, KnavError
from knavtool.workflow.amounts import Amount

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from knavtool.documents.workflow import Entry, TaskDocument
    from knavtool.errors import Violation
    from knavtool.events import Step
    from knavtool.helm import Helm
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.prometheus import Prometheus
    from knavtool.kube.resource import Resource
    from knavtool.kube.store import Stores
    from knavtool.measure.pod_log import PodLog
    from knavtool.render.nodes import NodeSet
    from knavtool.workflow.ledger import Ledger
    from knavtool.workflow.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended; `message` is for people, `data` for machines. A failed check is an outcome, not an error."""

    passed: bool = True
    message: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One rendered object, encoded as it is sent; `document` is the number of the template's document it comes from."""

    api_version: str
    kind: str
    namespace: str | None
    name: str
    body: bytes
    document: int = 0

    def place(self, resource: Resource) -> str | None:
        """The namespace it is created in, None for a kind that lives in none."""
        return (self.namespace or DEFAULT_NAMESPACE) if resource.namespaced else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What a task will send: objects per instance, and which pods they start; or nodes.

    `pod_patterns` has one pattern per instance, or none. `pod_counts` is how many pods a check expects of each object,
    by the key of the round that submits it.
    """

    instances: tuple[tuple[Item, ...], ...] = ()
    pod_patterns: tuple[re.Pattern[str], ...] = ()
    pod_count: int = 0
    nodes: NodeSet | None = None
    pod_counts: Mapping[int, Amount] = field(default_factory=dict)


NOTHING = Rendering()
DEFAULT_NAMESPACE = "default"
BETWEEN_SIGNS = 0.1
"""Seconds between two reports of the progress of a check."""


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

    def __str__(self) -> str:
        return (
            f"{self.resource.kind} {self.namespace}/{self.name}"
            if self.namespace
            else f"{self.resource.kind} {self.name}"
        )


@dataclass(slots=True, kw_only=True)
class Submission:
    """The objects of one SubmitObj, per instance; `parts` are the rounds of a loop."""

    instances: list[list[Submitted]]
    pod_patterns: tuple[re.Pattern[str], ...] = ()
    pod_count: int = 0
    parts: tuple[Submission, ...] = ()

    @property
    def namespace(self) -> str | None:
        """Where its pods are: the one namespace of its objects; None if they may be in several."""
        return only_namespace(item.namespace for item in self.objects())

    def objects(self) -> list[Submitted]:
        """All of them."""
        return [item for blocks in self.instances for item in blocks]

    def block(self, index: int) -> list[Submitted]:
        """Those of one document of the template: several of an instance if it is a list or a loop, or none."""
        return [item for item in self.objects() if item.document == index]

    @classmethod
    def together(cls, submissions: Sequence[Submission]) -> Submission:
        """What the rounds of a loop submitted, as one."""
        if len(submissions) == 1:
            return submissions[0]
        return cls(
            instances=[blocks for each in submissions for blocks in each.instances],
            pod_patterns=tuple(pattern for each in submissions for pattern in each.pod_patterns),
            pod_count=sum(each.pod_count for each in submissions),
            parts=tuple(submissions),
        )


class NotSubmitted(KnavError):
    """A task refers to a SubmitObj that has not run, because it was skipped after a failure that was tolerated."""

    exit_code = ExitCode.CHECK_FAILED


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
        amounts = []
        for key in self._scope.submissions[reference].keys:
            if (part := self._kept.get(key)) is not None:
                each = counts.get(key) or Amount.exactly(part.pod_count // max(len(part.instances), 1))
                amounts += [each] * len(part.instances)
        return amounts

    def by_uid(self) -> dict[str, Submitted]:
        """All objects that the run has submitted."""
        return {item.uid: item for submission in self._kept.values() for item in submission.objects()}


class Terminal(Protocol):
    """Somebody at the keyboard; `cli.terminal` has the real one."""

    async def enter(self, prompt: Callable[[], None]) -> None:
        """Call `prompt` once it listens, then wait until Enter is pressed or the input ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a task gets to work with; what is submitted and what is known of the cluster is the whole run's.

    `terminal` is None if nobody is there to press Enter, `prometheus` if no task of the plan asks one.
    """

    gateway: Gateway
    step: Step
    ledger: Ledger
    submissions: Submissions
    stores: Stores
    pod_logs: dict[str | None, PodLog]
    rendering: Rendering
    clock: Callable[[], float]
    terminal: Terminal | None = None
    prometheus: Prometheus | None = None


class Task(Protocol):
    """A step a user can write: one module per type, one line in `tasks.TASKS`."""

    @property
    def document(self) -> TaskDocument:
        """The task as written."""

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        """Convert what the schema has passed; never fails."""

    def check(self, scope: Scope) -> Iterator[Violation]:
        """Resolve references and declare what later tasks may refer to; no file but templates is read."""

    async def render(self, scope: Scope, helm: Helm) -> Rendering:
        """What the task will send; no cluster is contacted."""

    async def run(self, context: Context, scope: Scope) -> Outcome:
        """Do it. Raises ClusterError when the API refuses."""


class Block(Protocol):
    """A type that holds tasks: one module per type, one line in `tasks.BLOCKS`."""

    @property
    def parallel(self) -> bool:
        """Whether its branches run at the same time."""

    @property
    def times(self) -> int:
        """How often its tasks run."""

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        """Convert what the schema has passed, or what it has refused; never fails."""

    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        """(title, tasks) of each round or branch."""


def only_namespace(namespaces: Iterable[str | None]) -> str | None:
    """The one namespace that all are in, None if there are several: then all have to be looked at."""
    places = set(namespaces)
    return places.pop() if len(places) == 1 else None


def timeout_of(document: TaskDocument) -> float | None:
    """Seconds of the parameter `timeout`; None when it is not given, or zero, which means the same."""
    given = document.params.get("timeout")
    return (parse_duration(given) or None) if given is not None else None
