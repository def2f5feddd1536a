"""What every task type offers, and the records that tasks and the runner exchange."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

from knavtool.documents.duration import parse_duration
from knavtool.documents.leniency import ignore_bad_timeout

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location
    from knavtool.documents.workflow import Entry, TaskDocument
    from knavtool.errors import Violation
    from knavtool.events import Step
    from knavtool.helm import Helm
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.prometheus import Prometheus
    from knavtool.kube.resource import Resource
    from knavtool.kube.store import Stores
    from knavtool.measure.table import Measured
    from knavtool.recording.cluster import ClusterFacts
    from knavtool.render.nodes import NodeSet
    from knavtool.workflow.observing.lives import Lives
    from knavtool.workflow.references.amounts import Amount
    from knavtool.workflow.references.observed import Observed, ObservedPods
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.rights import Rule
    from knavtool.workflow.submission import Submissions
    from knavtool.workflow.undoing.ledger import Ledger


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


Name: TypeAlias = "tuple[Resource, str | None, str]"
"""Kind, namespace and name of an object."""

NOTHING = Rendering()
DEFAULT_NAMESPACE = "default"
BETWEEN_SIGNS = 0.1
"""Seconds between two reports of the progress of a check."""


class Recorded(Protocol):
    """The recording of a run; `harness.recording` has the real one."""

    cluster: ClusterFacts
    """Takes what becomes of pods and nodes."""

    def connected(self, server: str) -> AbstractAsyncContextManager[None]:
        """For the block, in which the run is connected to the API server of this URL."""

    async def measured(self) -> Measured:
        """What was recorded until now, measured."""


class Terminal(Protocol):
    """Somebody at the keyboard; `cli.terminal` has the real one."""

    async def enter(self, prompt: Callable[[], None]) -> None:
        """Call `prompt` once it listens, then wait until Enter is pressed or the input ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a task gets to work with; what is submitted and what is known of the cluster is the whole run's.

    `terminal` is None if nobody is there to press Enter, `prometheus` if no task of the plan asks one, `recorded` if
    nothing is recorded.
    """

    gateway: Gateway
    step: Step
    ledger: Ledger
    submissions: Submissions
    stores: Stores
    lives: Lives
    rendering: Rendering
    observed: Observed
    clock: Callable[[], float]
    terminal: Terminal | None = None
    prometheus: Prometheus | None = None
    recorded: Recorded | None = None

    def heard(self) -> str:
        """What an API server in trouble said last, to end a sentence about a time-out with; "" if it serves."""
        return f"; {self.gateway.last_failure.message}" if self.gateway.last_failure is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskType(ABC):
    """What tasks and blocks have in common; what a type does not say has a default."""

    summary: ClassVar[str]
    """What the type does, in a sentence for users."""
    schema: ClassVar[Mapping[str, Any]]
    """The JSON schema of `params`, which may refer to the definitions of `documents/workflow.json`.

    That they are a map of no other fields, and that an editor takes a `${variable}` for each, goes without saying.
    """
    any_timeout: ClassVar[bool] = False
    """Whether Knavigator does not look at `timeout`, so that with `--compat` one that is no time is ignored."""
    rights: ClassVar[Sequence[Rule]] = ()
    """What the code asks of the API server, its cleanup included."""

    document: TaskDocument
    """The task as written."""

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        """Convert what the schema has passed, or, for a block, what it has refused; never fails."""
        return cls(document=document)

    @classmethod
    def apply_compat(cls, params: dict[str, Any], place: Location) -> Iterator[Complaint]:
        """For `--compat`: change what Knavigator takes without a word; yields what was changed, with its place."""
        return ignore_bad_timeout(params, place) if cls.any_timeout else iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(TaskType):
    """A step a user can write: one module per type, one line in `tasks.TASKS`.

    A small type says what it does. The rest is for those that work on objects, make nodes, read files or wait for
    something outside of the cluster.
    """

    submits: ClassVar[bool] = False
    """Whether `check` declares a submission under the id of the task, of the objects that `render` gives."""
    selects: ClassVar[bool] = False
    """Whether it may choose objects by their kind, with the parameters of a `Selection`."""
    of_one_document: ClassVar[bool] = False
    """Whether of the objects of `refTaskId` it works on those of one document of the template, that of `index`."""
    deletes: ClassVar[bool] = False
    """Whether it deletes the objects it works on, so that later tasks may use their names."""
    asks_prometheus: ClassVar[bool] = False
    """Whether it needs a Prometheus; without such a task none has to be found."""

    measures: ClassVar[bool] = False
    """Whether it asks what was measured, so that the run has to be recorded."""

    @property
    def needs_free_names(self) -> bool:
        """Whether the objects it submits must not exist yet."""
        return False

    def freed(self) -> Iterator[Name]:
        """What it deletes besides the objects it works on."""
        return iter(())

    @property
    def makes_nodes(self) -> bool:
        """Whether it makes virtual nodes."""
        return False

    def added_node_labels(self) -> Iterable[str]:
        """The keys of labels that it gives to nodes."""
        return ()

    def files(self, scope: Scope) -> Iterator[Path]:  # noqa: ARG002 - for types that read files
        """The files it reads, besides the workflow's own: a server needs them as well."""
        return iter(())

    def without_terminal(self) -> Iterator[Violation]:
        """What is wrong with it if nobody is there to press a key."""
        return iter(())

    async def ask_first(self, prometheus: Prometheus) -> None:
        """Ask before anything is sent to the cluster what a run will ask; raises InvalidDocument if it is refused."""

    def check(self, scope: Scope) -> Iterator[Violation]:  # noqa: ARG002 - for types that refer to others
        """Resolve references and declare what later tasks may refer to; no file but templates is read."""
        return iter(())

    def observes(self) -> Iterator[ObservedPods]:
        """The pods it looks at, so that a run follows them from their beginning."""
        return iter(())

    async def render(self, scope: Scope, helm: Helm) -> Rendering:  # noqa: ARG002 - for types that send something
        """What the task will send; no cluster is contacted."""
        return NOTHING

    @abstractmethod
    async def run(self, context: Context, scope: Scope) -> Outcome:
        """Do it. Raises ClusterError when the API refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(TaskType):
    """A type that holds tasks: one module per type, one line in `tasks.BLOCKS`."""

    parallel: ClassVar[bool] = False
    """Whether its branches run at the same time."""

    @property
    def times(self) -> int:
        """How often its tasks run."""
        return 1

    @abstractmethod
    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        """(title, tasks) of each round or branch."""


def timeout_of(document: TaskDocument) -> float | None:
    """Seconds of the parameter `timeout`; None when it is not given, or zero, which means the same."""
    given = document.params.get("timeout")
    return (parse_duration(given) or None) if given is not None else None
