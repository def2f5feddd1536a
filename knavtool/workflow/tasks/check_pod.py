"""CheckPod: wait until the pods of a SubmitObj are in a phase and on nodes with labels, all at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.kube.merging import watch_all
from knavtool.kube.resource import EVENTS, NODES, PODS
from knavtool.workflow.objects.following import follow
from knavtool.workflow.objects.limits import Limit
from knavtool.workflow.observing.diagnosis import diagnose
from knavtool.workflow.observing.family import Family
from knavtool.workflow.observing.node_labels import node_labels
from knavtool.workflow.observing.pods import Expectation, Tally, essential
from knavtool.workflow.references.amounts import AmountDocument, total
from knavtool.workflow.references.checks import pods_violations
from knavtool.workflow.references.observed import ObservedPods
from knavtool.workflow.rights import FOLLOW, SUBMITTED, Rule, Use
from knavtool.workflow.submission import refusals
from knavtool.workflow.task import NOTHING, Outcome, Rendering, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.observing.pods import Census
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.submission import Submission
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPod(Task):
    """Without a timeout one look decides."""

    ref: str
    count: AmountDocument | None
    status: str
    node_labels: Mapping[str, str]
    timeout: float | None

    summary: ClassVar[str] = "Waits until the pods of submitted objects are in a phase and on the right nodes."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["refTaskId"],
        "properties": {
            "refTaskId": {"$ref": "#/$defs/name", "description": "The id of an earlier task."},
            "status": {
                "enum": ["Pending", "Running", "Succeeded", "Failed", "Unknown"],
                "description": "The phase that all pods must have.",
            },
            "count": {
                "$ref": "#/$defs/amount",
                "description": "How many pods each object has now, in place of its podCount: a number, or min and max.",
            },
            "nodeLabels": {"$ref": "#/$defs/labels", "description": "Labels that the node of each pod must have."},
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long to wait for it; without it one look decides.",
            },
        },
        "allOf": [
            {
                "anyOf": [{"required": ["status"]}, {"required": ["nodeLabels"]}],
                "x-expected": "at least one of status and nodeLabels",
            }
        ],
    }
    rights: ClassVar[Sequence[Rule]] = (
        Rule(FOLLOW, PODS),
        Rule(("list",), NODES, when="nodeLabels"),
        # Owners that stand between an object and its pods; without them the pod's name decides.
        Rule(("get", "list"), SUBMITTED, use=Use.SOMETIMES),
        Rule(FOLLOW, EVENTS, use=Use.SOMETIMES),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            ref=params["refTaskId"],
            count=AmountDocument.of(document, "count"),
            status=params.get("status", ""),
            node_labels=params.get("nodeLabels") or {},
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        if not self.status and not self.node_labels:
            yield self.document.violation("expected at least one of status and nodeLabels")
        yield from pods_violations(self.document, scope, self.ref, count=self.count)

    def observes(self) -> Iterator[ObservedPods]:
        yield ObservedPods(ref=self.ref)

    async def render(self, scope: Scope, helm: Helm) -> Rendering:
        if self.count is None:
            return NOTHING
        return Rendering(pod_counts=await self.count.per_round(scope.submissions[self.ref], helm))

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - references are resolved
        submission = context.submissions[self.ref]
        each = context.submissions.pods_of_each(self.ref, context.rendering.pod_counts)
        expected = Expectation(count=total(each), status=self.status, node_labels=self.node_labels)
        look = _PodWatch(context, submission, expected)
        if self.timeout is None or not submission.objects():
            await look.once()
        else:
            await look.watch(self.timeout)
        return await self._outcome(look.seen, submission, context)

    async def _outcome(self, seen: Census, submission: Submission, context: Context) -> Outcome:
        counts = seen.counts()
        if seen.satisfied:
            nodes = f", on {seen.nodes} node{'' if seen.nodes == 1 else 's'}" if seen.nodes else ""
            return Outcome(message=counts + nodes, data=seen.data())
        after = f" after {self.timeout:g} s" if self.timeout is not None and submission.objects() else ""
        found = await diagnose(context.gateway, submission.objects(), seen.wrong())
        problems = [*seen.problems(), *refusals(submission.refused)]
        lines = [f"{counts}{after} ({seen.phase_text()})", *(f"  {problem}" for problem in problems)]
        data = {**seen.data(), "problems": problems, **found.data()}
        return Outcome(passed=False, message="\n".join([*lines, *found.lines()]), data=data)


class _PodWatch:
    """Looks at the pods, and asks for what the pods themselves do not say: their owners and their nodes' labels."""

    def __init__(self, context: Context, submission: Submission, expected: Expectation) -> None:
        self._gateway = context.gateway
        self._stores = context.stores
        self._context = context
        self._expected = expected
        self._family = Family(submission)
        self._tally = Tally(expected, self._family.has)
        self._namespaces = submission.pod_namespaces

    @property
    def seen(self) -> Census:
        """The pods as they were seen last."""
        return self._tally.census()

    async def once(self) -> None:
        """One list decides."""
        await self._read_nodes()
        for namespace in self._namespaces:
            for pod in await self._gateway.list(PODS, namespace=namespace):
                self._tally.put(essential(pod))
        await self.decided()

    async def watch(self, timeout: float) -> None:
        """Follow the pods until they are as expected or time is up; `seen` tells which."""
        async with Limit(timeout, "pods", self._context) as limit:
            await self._read_nodes()
            places = [(PODS, namespace) for namespace in self._namespaces]
            await follow(watch_all(self._stores, places), self, limit, self._context)

    async def put(self, live: Manifest) -> None:
        """A pod is new or has changed."""
        self._tally.put(live)

    def drop(self, uid: str) -> None:
        """A pod is gone."""
        self._tally.drop(uid)

    def progress(self) -> tuple[int, int, str]:
        """How many pods are as expected, of how many, and in which phases they are."""
        return self._tally.matching, self._expected.count.least, self._tally.phase_text()

    async def decided(self) -> bool:
        """Whether the pods are as expected, now that nothing about them is unknown."""
        if self._tally.unknown_nodes:
            # A pod is on a node that was made after the nodes were read.
            await self._read_nodes()
        # Owners are looked up when pods are first seen. When the last pod is as expected, there is no time for that.
        while await self._family.verify(self._gateway):
            self._tally.recount()
        return self._tally.satisfied

    async def _read_nodes(self) -> None:
        if self._expected.node_labels:
            self._tally.recount(await node_labels(self._gateway))
