"""Workflows for tests: written to files, planned, and run against a gateway without Helm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from knavtool.documents.workflow_reader import load_workflows
from knavtool.events import Steps
from knavtool.kube.resource import PODS
from knavtool.kube.store import Stores
from knavtool.workflow import plan
from knavtool.workflow.observing.lives import Lives
from knavtool.workflow.observing.pods import essential
from knavtool.workflow.references.observed import Observed
from knavtool.workflow.references.regexps import compile_pattern
from knavtool.workflow.registry import Registry, built_in
from knavtool.workflow.rendered import RenderedPlan
from knavtool.workflow.submission import Submissions
from knavtool.workflow.task import NOTHING, Context, Item, Rendering
from knavtool.workflow.tasks.configure import Configure
from knavtool.workflow.tasks.submit_obj import SubmitObj
from knavtool.workflow.undoing.ledger import Ledger
from support.events import ignore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.errors import Violation
    from knavtool.events import Emit
    from knavtool.kube.gateway import Gateway
    from knavtool.workflow.plan import Plan, PlannedTask
    from knavtool.workflow.submission import Submission
    from knavtool.workflow.task import Outcome

NO_HELM: Any = None
"""For what prints parameters only."""

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{._NAME_}}
  namespace: {{.namespace}}
spec:
  parallelism: {{.parallelism}}
"""


def task(type_: str, id_: str = "", **params: Any) -> dict[str, Any]:
    """One task of a workflow file."""
    return {"id": id_ or type_.lower(), "type": type_, "params": params}


def register(id_: str = "register", **params: Any) -> dict[str, Any]:
    """A RegisterObj of the Job template."""
    given = {
        "template": "job.yml",
        "nameFormat": "job{{._ENUM_}}",
        "podNameFormat": "{{._NAME_}}-.*",
        "podCount": "{{.parallelism}}",
        **params,
    }
    return task("RegisterObj", id_, **{key: value for key, value in given.items() if value is not None})


def submit(id_: str = "job", **params: Any) -> dict[str, Any]:
    """A SubmitObj of that template."""
    given = {"refTaskId": "register", "params": {"namespace": "default", "parallelism": 2}, **params}
    return task("SubmitObj", id_, **given)


def write(
    directory: Path, *tasks: Mapping[str, Any], name: str = "wf.yml", template: str = JOB, **envelope: Any
) -> Path:
    """Write a workflow file, and its template beside it."""
    (directory / "job.yml").write_text(template)
    path = directory / name
    path.write_text(yaml.safe_dump({"name": path.stem, **envelope, "tasks": list(tasks)}, sort_keys=False))
    return path


def planned(
    directory: Path,
    *tasks: Mapping[str, Any],
    template: str = JOB,
    lenient: bool = False,
    types: Registry | None = None,
) -> Plan:
    """The plan of one file."""
    types = types or built_in()
    documents = load_workflows([write(directory, *tasks, template=template)], types.documents, lenient=lenient)
    return plan.build(documents, search=[directory], lenient=lenient, types=types)


def faults(directory: Path, *tasks: Mapping[str, Any], template: str = JOB) -> list[Violation]:
    """What is wrong with a workflow."""
    from knavtool.errors import InvalidDocument

    try:
        planned(directory, *tasks, template=template)
    except InvalidDocument as error:
        return list(error.violations)
    return []


def jobs(*names: str, pods: int = 0, namespace: str | None = "default") -> Rendering:
    """What a SubmitObj of those Jobs renders to, each with `pods` pods."""
    return Rendering(
        instances=tuple((item("batch/v1", "Job", name, namespace),) for name in names),
        pod_patterns=tuple(compile_pattern(f"{name}-.*") for name in names),
        pod_count=pods * len(names),
    )


def item(api_version: str, kind: str, name: str, namespace: str | None = None, **body: Any) -> Item:
    """One rendered object."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    encoded = orjson.dumps({"apiVersion": api_version, "kind": kind, "metadata": metadata, **body})
    return Item(api_version=api_version, kind=kind, namespace=namespace, name=name, body=encoded)


def rendered(given: Plan, **renderings: Rendering) -> RenderedPlan:
    """A plan with renderings by task id; tasks that are not named send nothing."""
    return RenderedPlan(
        plan=given, renderings={id(one.task): renderings.get(one.document.id, NOTHING) for one in given.tasks()}
    )


class Bench:
    """Runs single tasks of a plan, as the runner does."""

    def __init__(self, gateway: Gateway, *, restores: bool = True, emit: Emit = ignore, **around: Any) -> None:
        self.gateway = gateway
        self.around = around  # what else tasks get: terminal, prometheus
        self.ledger = Ledger(restores=restores)
        self.steps = Steps(emit)
        self.submitted: dict[int, Submission] = {}
        self.submissions: dict[str, Submission] = {}
        self.lives = Lives(self.steps.clock)

    async def run(self, given: Plan, id_: str, rendering: Rendering = NOTHING) -> Outcome:
        """Run the task of that id."""
        found = next(planned for planned in given.tasks() if planned.document.id == id_)
        if rendering is NOTHING and not isinstance(found.task, SubmitObj | Configure):
            rendering = await found.task.render(found.scope, NO_HELM)
        async with Stores(self.gateway, keep={PODS: essential}) as stores:
            outcome = await self._run(found, stores, rendering, given.observed)
        planned = found.scope.submissions.get(id_)
        if planned is not None:
            self.submissions[id_] = self.submitted[planned.keys[0]]
        return outcome

    async def _run(self, planned: PlannedTask, stores: Stores, rendering: Rendering, observed: Observed) -> Outcome:
        with self.steps.step("task", planned.document.id) as step:
            context = Context(
                gateway=self.gateway,
                step=step,
                ledger=self.ledger,
                submissions=Submissions(planned.scope, self.submitted),
                stores=stores,
                lives=self.lives,
                rendering=rendering,
                observed=observed,
                clock=self.steps.clock,
                **self.around,
            )
            return await planned.task.run(context, planned.scope)


def pod(
    name: str,
    owner: Mapping[str, Any] | None = None,
    *,
    phase: str = "Running",
    node: str = "",
    leaving: bool = False,
    **status: Any,
) -> dict[str, Any]:
    """A pod as the API shows it; `owner` is an object with kind and metadata."""
    metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
        ]
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    spec = {"nodeName": node} if node else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase, **status}}
