"""CheckMetric: wait until a number that Prometheus knows is as expected, and stays so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.documents.duration import parse_duration
from knavtool.documents.scalars import text
from knavtool.errors import ClusterError, Invalid, InvalidDocument
from knavtool.kube.resource import SERVICES
from knavtool.measure.threshold import OPERATORS
from knavtool.workflow.objects.limits import Limit
from knavtool.workflow.rights import Rule, Use
from knavtool.workflow.task import Outcome, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.kube.prometheus import Prometheus, Sample
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context

_INTERVAL = 1.0
"""Seconds between two questions; a Prometheus looks at its targets every few seconds."""
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMetric(Task):
    """All samples of the query have to satisfy the comparison, and there has to be one.

    Prometheus offers nothing to watch, so this one task asks again every second. Without a timeout the first answer
    decides; with `duration` all answers of that many seconds have to satisfy it.
    """

    query: str
    op: str
    value: float
    duration: float
    timeout: float | None

    summary: ClassVar[str] = "Compares the result of a PromQL query with a value."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["query", "op", "value"],
        "properties": {
            "query": {
                "type": "string",
                "pattern": "^[\\s\\S]*\\S[\\s\\S]*$",
                "x-expected": "a PromQL expression",
                "patternErrorMessage": "Expected a PromQL expression.",
                "description": "A PromQL expression that gives an instant vector or a scalar.",
            },
            "op": {
                "enum": ["==", "!=", "<", "<=", ">", ">="],
                "description": "How every sample is compared with the value.",
            },
            "value": {"type": "number", "description": "What the samples are compared with."},
            "for": {"$ref": "#/$defs/duration", "description": "How long it has to stay so."},
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long to ask; without it the first answer decides.",
            },
        },
    }
    asks_prometheus: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        # Of the Prometheus of an operator; one whose address is given needs no rights.
        Rule(("list",), SERVICES, use=Use.SOMETIMES, everywhere=True, names=("prometheus-operated",)),
        Rule(("get",), SERVICES, "proxy", use=Use.SOMETIMES, everywhere=True, names=("prometheus-operated:9090",)),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            query=params["query"],
            op=params["op"],
            value=params["value"],
            duration=parse_duration(params["for"]) if "for" in params else 0.0,
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:  # noqa: ARG002 - nothing is referred to
        if self.duration < 0:
            yield self.document.violation("must not be negative", "for")
        if self.timeout is not None and 0 <= self.timeout < self.duration:
            yield self.document.violation("is longer than the timeout, so it can never be satisfied", "for")

    async def ask_first(self, prometheus: Prometheus) -> None:
        await self._ask(prometheus, retry_timeout=0)

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - nothing is referred to
        if context.prometheus is None:
            raise ClusterError(f"{self.document.where()}: there is no Prometheus to ask")
        sight = _MatchState()
        async with Limit(self.timeout, f"{self.query} of {context.prometheus.place}", context) as limit:
            await self._follow(context.prometheus, sight, limit)
        return self._outcome(sight)

    async def _follow(self, prometheus: Prometheus, sight: _MatchState, limit: Limit) -> None:
        """Ask until the comparison has been satisfied for long enough, or cannot be."""
        loop = asyncio.get_running_loop()
        while True:
            samples = await self._ask(prometheus)
            sight.samples = samples
            now = loop.time()
            if samples and all(self._satisfied(sample) for sample in samples):
                sight.since = now if sight.since is None else sight.since
                sight.held = now - sight.since
                if sight.held >= self.duration:
                    sight.passed = True
                    return
            else:
                sight.since = None
                if self.timeout is None:
                    return
            limit.looked()
            await asyncio.sleep(_INTERVAL)

    async def _ask(self, prometheus: Prometheus, *, retry_timeout: float | None = None) -> list[Sample]:
        """Raises InvalidDocument, with the query's place, if it is none."""
        try:
            return await prometheus.query(self.query, retry_timeout=retry_timeout)
        except Invalid as error:
            message = error.message.removeprefix(f"ask Prometheus at {prometheus.place}: ")
            raise InvalidDocument([self.document.violation(f"Prometheus refuses it: {message}", "query")]) from error

    def _satisfied(self, sample: Sample) -> bool:
        return bool(OPERATORS[self.op](sample.value, self.value))

    def _outcome(self, sight: _MatchState) -> Outcome:
        after = f" after {self.timeout:g} s" if self.timeout is not None and not sight.passed else ""
        wanted = f"{self.op} {text(self.value)}"
        samples = sight.samples
        right = sum(self._satisfied(sample) for sample in samples)
        data: dict[str, object] = {
            "expected": wanted,
            "samples": [{"labels": dict(one.labels), "value": text(one.value)} for one in samples[:100]],
        }
        stayed = f" for {self.duration:g} s" if self.duration else ""
        if sight.passed:
            shown = f": {text(samples[0].value)}" if len(samples) == 1 else f" in all {len(samples)} samples"
            return Outcome(message=f"{self.query} {wanted}{stayed}{shown}", data=data)
        if not samples:
            message = f"{self.query} gave no sample{after}, expected at least one {wanted}"
            return Outcome(passed=False, message=message, data=data)
        if right == len(samples):
            lines = [f"{self.query} {wanted}: satisfied for {sight.held:.1f} s{after}, expected {self.duration:g} s"]
        else:
            lines = [f"{self.query}: {right} of {len(samples)} samples are {wanted}{after}"]
        wrong = [sample for sample in samples if not self._satisfied(sample)]
        lines += [f"  {sample}: expected {wanted}, actual {text(sample.value)}" for sample in wrong[:_SHOWN]]
        if len(wrong) > _SHOWN:
            lines.append(f"  and {len(wrong) - _SHOWN} more samples")
        return Outcome(passed=False, message="\n".join(lines), data=data)


@dataclass(slots=True, kw_only=True)
class _MatchState:
    """The last answer, and since when and for how long (seconds) the answers have satisfied the comparison."""

    samples: list[Sample] = field(default_factory=list)
    since: float | None = None
    held: float = 0.0
    passed: bool = False
