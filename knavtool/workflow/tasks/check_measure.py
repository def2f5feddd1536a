"""CheckMeasure: compare what was measured until now with a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.errors import UsageError
from knavtool.measure.names import all_names
from knavtool.measure.threshold import OPERATORS, judge, make
from knavtool.workflow.task import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.measure.threshold import Threshold
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMeasure(Task):
    """The recording of the run is measured when the task runs, so it costs as much as a report."""

    summary: ClassVar[str] = "Compares a measure of the run with a value."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["measure", "op", "value"],
        "properties": {
            "measure": {"enum": all_names(), "description": "What is measured; docs/measures.md defines each measure."},
            "op": {"enum": list(OPERATORS), "description": "How the measure is compared with the value."},
            "value": {
                "$ref": "#/$defs/string",
                "description": "A number in the unit of the measure, a duration such as 20s, a percentage such as 80%.",
            },
            "samples": {
                "type": "integer",
                "minimum": 1,
                "description": "How many samples are needed. Defaults to 2, 10, 20, 100 for p50, p90, p95, p99.",
            },
            "allowSaturated": {
                "type": "boolean",
                "description": "Pass although knavtool or the machine, not the scheduler, was the limit.",
            },
        },
    }
    measures: ClassVar[bool] = True

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(document=document)

    def check(self, scope: Scope) -> Iterator[Violation]:  # noqa: ARG002 - nothing is referred to
        try:
            self.threshold()
        except UsageError as error:
            yield self.document.violation(error.message, "value")

    def threshold(self) -> Threshold:
        """What is expected; raises UsageError if the value does not fit the measure."""
        return threshold_of(self.document.params)

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - nothing is referred to
        if context.recorded is None:
            return Outcome(passed=False, message="nothing is recorded, so nothing can be measured")
        verdict = judge(self.threshold(), await context.recorded.measured())
        data = {"value": verdict.value, "samples": verdict.n}
        return Outcome(passed=verdict.passed, message=verdict.message, data=data)


def threshold_of(params: Mapping[str, Any]) -> Threshold:
    """A threshold as a workflow has it; raises UsageError."""
    return make(
        params["measure"],
        params["op"],
        params["value"],
        samples=params.get("samples"),
        allow_saturated=bool(params.get("allowSaturated")),
    )
