"""CheckPlacement: the pods of a SubmitObj are placed as a scheduler of gangs should place them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.documents.duration import parse_duration
from knavtool.documents.schema import nearest
from knavtool.errors import ClusterError
from knavtool.kube.resource import EVENTS, NODES, PODS
from knavtool.workflow.objects.gang_watch import GangWatch
from knavtool.workflow.observing.diagnosis import diagnose
from knavtool.workflow.observing.domains import Topology
from knavtool.workflow.observing.gangs import Gangs
from knavtool.workflow.observing.groups import Grouping
from knavtool.workflow.observing.node_labels import node_labels
from knavtool.workflow.observing.placement import PlacementRules, Unplaced, pod_name
from knavtool.workflow.references.amounts import Amount, AmountDocument
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
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.submission import Submission
    from knavtool.workflow.task import Context

_WITHIN = 1.0
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlacement(Task):
    """Every object is a gang. Pods are judged by all that was seen since they were submitted, not by one look."""

    ref: str
    count: AmountDocument | None
    all_or_nothing: bool
    within: float
    topology_key: str
    grouping: Grouping | None
    domains: AmountDocument | None
    distinct: bool
    nodes: Sequence[str]
    waiting: float | None
    timeout: float | None

    summary: ClassVar[str] = "Checks how pods are placed: gangs whole, one topology domain, certain nodes, or not yet."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["refTaskId"],
        "properties": {
            "refTaskId": {
                "$ref": "#/$defs/name",
                "description": "The id of an earlier SubmitObj task; each of its objects is one gang.",
            },
            "count": {
                "$ref": "#/$defs/amount",
                "description": "How many pods each object has now, in place of its podCount: a number, or min and max.",
            },
            "allOrNothing": {
                "type": ["boolean", "null"],
                "description": "No gang is ever bound in part for longer than `within`.",
            },
            "within": {
                "$ref": "#/$defs/duration",
                "description": "The longest time from the first bound pod of a gang to its last; 1s if it is left out.",
            },
            "topologyKey": {
                "$ref": "#/$defs/labelKey",
                "description": (
                    "A node label; the pods of each gang, or of each group, are on nodes with one value of it."
                ),
            },
            "groups": {
                "type": "object",
                "properties": {
                    "owner": {
                        "$ref": "#/$defs/kind",
                        "description": "The kind of the pods' controllers, like Job; the pods of each are a group.",
                    },
                    "label": {
                        "$ref": "#/$defs/labelKey",
                        "description": "A label of the pods; those with the same value are a group.",
                    },
                    "size": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "How many pods a group has; in the order of their index, if they have one.",
                    },
                    "count": {"$ref": "#/$defs/amount", "description": "How many groups each object has."},
                },
                "additionalProperties": False,
                "allOf": [
                    {
                        "oneOf": [{"required": ["owner"]}, {"required": ["label"]}, {"required": ["size"]}],
                        "x-expected": "exactly one of owner, label and size",
                    }
                ],
                "description": "Divides the pods of each object; topologyKey is about each group then.",
            },
            "domains": {
                "$ref": "#/$defs/amount",
                "description": "How many values of topologyKey: a number, or min and max; 1 if it is left out.",
            },
            "distinctDomains": {
                "type": ["boolean", "null"],
                "description": "No two groups, or objects if there are no groups, share a value of topologyKey.",
            },
            "nodes": {
                "type": ["array", "null"],
                "minItems": 1,
                "items": {"$ref": "#/$defs/name"},
                "description": "The names of the nodes that the pods are on, all of them and no others.",
            },
            "waiting": {"$ref": "#/$defs/duration", "description": "No pod gets a node for that long."},
            "timeout": {"$ref": "#/$defs/duration", "description": "How long to wait for all pods to be bound."},
        },
        "allOf": [
            {
                "anyOf": [
                    {"required": ["allOrNothing"]},
                    {"required": ["topologyKey"]},
                    {"required": ["nodes"]},
                    {"required": ["waiting"]},
                ],
                "x-expected": "at least one of allOrNothing, topologyKey, nodes and waiting",
            },
            {
                "if": {
                    "anyOf": [{"required": ["groups"]}, {"required": ["domains"]}, {"required": ["distinctDomains"]}]
                },
                "then": {"required": ["topologyKey"]},
            },
        ],
    }
    rights: ClassVar[Sequence[Rule]] = (
        Rule(FOLLOW, PODS),
        Rule(("list",), NODES, when="topologyKey"),
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
            all_or_nothing=bool(params.get("allOrNothing")),
            within=_seconds(params.get("within")) or _WITHIN,
            topology_key=params.get("topologyKey", ""),
            grouping=Grouping.of(document),
            domains=AmountDocument.of(document, "domains"),
            distinct=bool(params.get("distinctDomains")),
            nodes=params.get("nodes", ()),
            waiting=_seconds(params.get("waiting")),
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        for name, seconds in (("within", self.within), ("waiting", self.waiting)):
            if seconds is not None and seconds < 0:
                yield self.document.violation("must not be negative", name)
        if self.waiting is not None and (self.all_or_nothing or self.topology_key or self.nodes):
            yield self.document.violation("pods that wait are on no node; nothing else can be expected", "waiting")
        if self.waiting is None and not (self.all_or_nothing or self.topology_key or self.nodes):
            yield self.document.violation("expected at least one of allOrNothing, topologyKey, nodes and waiting")
        known = scope.shared.node_labels() if self.topology_key else None
        if known is not None and self.topology_key not in known:
            listed = nearest(self.topology_key, known) or f"; there are: {', '.join(sorted(known))}"
            message = f"no node of the workflow has the label {self.topology_key!r}{listed}"
            yield self.document.violation(message, "topologyKey")
        if self.domains is not None:
            yield from self.domains.violations({})
        if self.grouping is not None:
            yield from self.grouping.violations()
        yield from pods_violations(self.document, scope, self.ref, count=self.count)

    def observes(self) -> Iterator[ObservedPods]:
        labels = self.grouping.labels() if self.grouping is not None else ()
        yield ObservedPods(ref=self.ref, lives=True, labels=frozenset(labels))

    async def render(self, scope: Scope, helm: Helm) -> Rendering:
        if self.count is None:
            return NOTHING
        return Rendering(pod_counts=await self.count.per_round(scope.submissions[self.ref], helm))

    def _topology(self) -> Topology | None:
        if not self.topology_key:
            return None
        domains = self.domains.plain() if self.domains is not None else Amount.exactly(1)
        return Topology(key=self.topology_key, domains=domains, distinct=self.distinct, grouping=self.grouping)

    async def run(self, context: Context, scope: Scope) -> Outcome:
        try:
            return await self._judge(context)
        finally:
            context.lives.judged(scope.submissions[self.ref].keys)

    async def _judge(self, context: Context) -> Outcome:
        submission = context.submissions[self.ref]
        each = context.submissions.pods_of_each(self.ref, context.rendering.pod_counts)
        if self.count is None:
            # Of a Job that tries again, the pods that failed keep their places as well.
            each = [Amount(amount.least, None) for amount in each]
        look = GangWatch(context, Gangs(submission, each), submission.pod_namespaces)
        if self.waiting is not None:
            await look.until(any_=True, timeout=self.waiting)
            return self._waited(look, submission)
        enough = await look.until(any_=False, timeout=self.timeout or 0.0)
        if not enough or any(gang.refused for gang in look.gangs):
            return await self._unbound(look, submission, context, after=not enough)
        if self.all_or_nothing and (missed := look.missed()):
            # Seen late, they would seem to have got their nodes at once.
            raise ClusterError(missed, hint="run the workflow again")
        topology = self._topology()
        labels = await node_labels(context.gateway) if topology is not None else {}
        within = self.within if self.all_or_nothing else None
        rules = PlacementRules(within=within, topology=topology, nodes=self.nodes)
        faults = list(rules.faults(look.gangs, labels, look.now))
        data = look.data()
        if faults:
            data["problems"] = faults
            more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
            return Outcome(passed=False, message="\n".join([*faults[:_SHOWN], *more]), data=data)
        message = look.words()
        if topology is not None and self.grouping is not None:
            data["groups"] = groups = sum(len(topology.groups(gang, labels)) for gang in look.gangs)
            message += f", in {groups} group{'s' if groups != 1 else ''}"
        return Outcome(message=message, data=data)

    def _waited(self, look: GangWatch, submission: Submission) -> Outcome:
        early = [times for gang in look.gangs for times in gang.placed]
        if not early and any(gang.refused for gang in look.gangs):
            lines = ["there are no pods that could wait", *(f"  {line}" for line in refusals(submission.refused))]
            return Outcome(passed=False, message="\n".join(lines), data=look.data())
        if not early:
            total = sum(gang.size for gang in look.gangs)
            return Outcome(message=f"none of {total} pods got a node in {self.waiting:g} s", data=look.data())
        names = ", ".join(f"{pod_name(times)} on {times.node}" for times in early[:_SHOWN])
        message = f"{len(early)} pods have a node, expected none for {self.waiting:g} s: {names}"
        return Outcome(passed=False, message=message, data=look.data())

    async def _unbound(self, look: GangWatch, submission: Submission, context: Context, *, after: bool) -> Outcome:
        time = f" after {self.timeout:g} s" if after and self.timeout is not None else ""
        left = Unplaced.among(look.gangs)
        reasons = list(left.reasons.items())[:_SHOWN]
        shown = [
            f"{len(left.gangs)} of {len(look.gangs)} gangs are not placed whole{time}",
            *(f"  {line}" for line in left.gangs[:_SHOWN]),
            *(f"  {len(names)} pods ({names[0]}, …): {reason}" for reason, names in reasons),
        ]
        found = await diagnose(context.gateway, submission.objects(), [times.pod for times in left.pods])
        data = {**look.data(), "problems": [*left.gangs, *left.reasons], **found.data()}
        return Outcome(passed=False, message="\n".join([*shown, *found.lines()]), data=data)


def _seconds(given: str | None) -> float | None:
    return parse_duration(given) if given is not None else None
