"""A plan with all that its tasks will send, and the same as text for `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from knavtool.documents.yaml import dump
from knavtool.workflow.plan import PlannedTask, tasks_of
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.kube.resource import Manifest
    from knavtool.workflow.plan import Plan, Planned
    from knavtool.workflow.task import Item, Rendering, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPlan:
    """A plan and what each of its tasks, by identity, will send: one file may be named twice."""

    plan: Plan
    renderings: Mapping[int, Rendering]

    def of(self, task: Task) -> Rendering:
        """What one task will send."""
        return self.renderings[id(task)]

    def kinds(self) -> set[tuple[str, str]]:
        """(apiVersion, kind) of all objects, but those that the plan itself defines."""
        return self.undefined({(item.api_version, item.kind) for item in self._items()})

    def undefined(self, kinds: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of (apiVersion, kind) that the plan does not define itself."""
        defined = {
            (definition["spec"]["group"], definition["spec"]["names"]["kind"])
            for item in self._items()
            if item.kind == "CustomResourceDefinition" and (definition := orjson.loads(item.body)).get("spec")
        }
        return {(version, kind) for version, kind in kinds if (version.rpartition("/")[0], kind) not in defined}

    def _items(self) -> Iterator[Item]:
        return (item for rendering in self.renderings.values() for blocks in rendering.instances for item in blocks)

    def text(self) -> Iterator[str]:
        """The plan as comments, the objects as YAML documents."""
        for workflow in self.plan.workflows:
            yield f"# workflow {workflow.name} ({workflow.file})\n"
            yield from self._outline(workflow.steps, "")
            yield from (f"# threshold {threshold}\n" for threshold in workflow.thresholds)
        for workflow in self.plan.workflows:
            for planned in tasks_of(workflow.steps):
                rendering = self.of(planned.task)
                if not rendering.instances and rendering.nodes is None:
                    continue
                yield f"# {workflow.name}: {planned.document.id}\n"
                for blocks in rendering.instances:
                    yield dump(_decoded(item.body) for item in blocks)
                if rendering.nodes is not None:
                    yield from rendering.nodes.yaml()

    def _outline(self, steps: Iterable[Planned], outer: str) -> Iterator[str]:
        """One line per step, numbered like chapters."""
        for number, step in enumerate(steps, 1):
            place = f"{outer}{number}."
            if isinstance(step, PlannedTask):
                yield f"# {place} {step.document.id} ({step.document.type}){_sends(self.of(step.task))}\n"
                continue
            yield f"# {place} {step.document.id} ({step.kind})\n"
            for branch in step.branches:
                if branch.title:
                    yield f"#    {branch.title}\n"
                yield from self._outline(branch.steps, place)


def _sends(rendering: Rendering) -> str:
    items = [(item.kind, item) for blocks in rendering.instances for item in blocks]
    if rendering.nodes is not None:
        return f": {counted(('Node', name) for name in rendering.nodes.names())}"
    return f": {counted(items)}" if items else ""


def _decoded(body: bytes) -> Manifest:
    manifest: Manifest = orjson.loads(body)
    return manifest
