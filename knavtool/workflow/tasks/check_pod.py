"""CheckPod: wait until the pods of a SubmitObj are in a phase and on nodes with labels, all at the same moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from knavtool.errors import DeadlineExceeded
from knavtool.kube.resource import NODES, PODS
from knavtool.kube.waiting import until
from knavtool.workflow.family import Family
from knavtool.workflow.pods import Census, Expectation, census
from knavtool.workflow.task import NOTHING, Outcome, timeout_of, timeout_violations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.scope import Scope
    from knavtool.workflow.task import Context, Rendering, Submission

    State = Mapping[tuple[str, str], Manifest]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPod:
    """Without a timeout one look decides."""

    document: TaskDocument
    ref: str
    status: str
    node_labels: Mapping[str, str]
    timeout: float | None

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            ref=params["refTaskId"],
            status=params.get("status", ""),
            node_labels=params.get("nodeLabels") or {},
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        yield from timeout_violations(self.document)
        if not self.status and not self.node_labels:
            yield self.document.violation("expected at least one of status and nodeLabels")
        planned = scope.submissions.get(self.ref)
        if planned is None:
            yield scope.unknown(self.document, self.ref, "SubmitObj")
        elif planned.registration is not None and planned.registration.formats.pod_name is None:
            registration = planned.registration.document
            message = (
                f"the RegisterObj task {registration.id!r} ({registration.where()}) has no podNameFormat and podCount, "
                f"so nobody knows which pods to check"
            )
            yield self.document.violation(message, "refTaskId")

    async def render(self, scope: Scope, helm: Helm) -> Rendering:  # noqa: ARG002 - nothing is sent
        return NOTHING

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - references are resolved
        submission = context.submissions[self.ref]
        expected = Expectation(count=submission.pod_count, status=self.status, node_labels=self.node_labels)
        look = _Look(context, submission, expected)
        if self.timeout is None:
            await look.once()
        else:
            await look.watch(self.timeout)
        return self._outcome(look.seen)

    def _outcome(self, seen: Census) -> Outcome:
        expected = seen.expected
        counts = f"{seen.matching} of {expected.count} pods are {expected.words()}"
        if seen.satisfied:
            nodes = f", on {seen.nodes()} node{'' if seen.nodes() == 1 else 's'}" if seen.nodes() else ""
            return Outcome(message=counts + nodes, data=seen.data())
        after = f" after {self.timeout:g} s" if self.timeout is not None else ""
        lines = [f"{counts}{after} ({seen.phase_text()})", *(f"  {problem}" for problem in seen.problems())]
        return Outcome(passed=False, message="\n".join(lines), data={**seen.data(), "problems": list(seen.problems())})


class _Look:
    """Looks at the pods, and asks for what the pods themselves do not say: their owners and their nodes' labels."""

    def __init__(self, context: Context, submission: Submission, expected: Expectation) -> None:
        self._gateway = context.gateway
        self._step = context.step
        self._expected = expected
        self._family = Family(submission)
        self._nodes: dict[str, Mapping[str, str]] = {}
        places = {item.namespace for item in submission.objects()}
        # An object without a namespace may start pods anywhere.
        self._namespace = places.pop() if len(places) == 1 else None
        self.seen = census(expected, (), {})

    async def once(self) -> None:
        """One list decides."""
        pods = await self._gateway.list(PODS, namespace=self._namespace)
        self._count(pods)
        await self._family.verify(self._gateway, self.seen.pods)
        await self._read_nodes()
        self._count(pods)

    async def watch(self, timeout: float) -> None:
        """Follow the pods until they are as expected or time is up; `seen` tells which."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await self._read_nodes()
        try:
            while True:
                await until(
                    self._gateway,
                    PODS,
                    self._decided,
                    timeout=max(deadline - loop.time(), 0.0),
                    namespace=self._namespace,
                )
                excluded = await self._family.verify(self._gateway, self.seen.pods)
                if self._unknown_nodes():
                    await self._read_nodes()
                elif not excluded:
                    return
        except DeadlineExceeded as error:
            if error.status:
                raise

    def _decided(self, state: State) -> bool | None:
        self._count(state.values())
        self._step.progress(self.seen.matching, self._expected.count, self.seen.phase_text())
        return True if self.seen.satisfied or self._unknown_nodes() else None

    def _count(self, pods: Iterable[Manifest]) -> None:
        self.seen = census(self._expected, (pod for pod in pods if self._family.has(pod)), self._nodes)

    def _unknown_nodes(self) -> bool:
        """Whether a pod is on a node that was made after the nodes were read."""
        return bool(self._expected.node_labels) and any(
            node not in self._nodes for pod, _ in self.seen.misplaced if (node := pod.get("spec", {}).get("nodeName"))
        )

    async def _read_nodes(self) -> None:
        if self._expected.node_labels:
            self._nodes = await node_labels(self._gateway)
            for pod, _ in self.seen.misplaced:
                # A node that is gone again has no labels; asking for it once more would not help.
                if node := pod.get("spec", {}).get("nodeName"):
                    self._nodes.setdefault(node, {})


async def node_labels(gateway: Gateway) -> dict[str, Mapping[str, str]]:
    """The labels of each node."""
    labels: dict[str, Mapping[str, str]] = {}
    async for page in gateway.pages(NODES, metadata_only=True):
        for node in page:
            labels[node["metadata"]["name"]] = node["metadata"].get("labels", {})
    return labels
