"""UpdateNodes: change nodes that are chosen by their labels, for example cordon them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.errors import DeadlineExceeded, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NODES
from knavtool.nodes.writing import summed
from knavtool.workflow.objects.node_selection import NodeSelection
from knavtool.workflow.rights import Rule, Use
from knavtool.workflow.task import Outcome, Task, timeout_of
from knavtool.workflow.undoing.ledger import Changed
from knavtool.workflow.undoing.patching import Patch
from knavtool.workflow.undoing.writing import change
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context
    from knavtool.workflow.undoing.ledger import Group

_FIELDS = ("metadata", "spec", "status")
_UNUSED = ("refTaskId", "index")
"""Parameters that old files may have and that never had a meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateNodes(Task):
    """Metadata and spec by a merge patch, the status by a strategic one, so that conditions are merged by type."""

    selectors: Sequence[Mapping[str, str]]
    state: Mapping[str, Any]
    real_nodes: bool
    timeout: float | None

    summary: ClassVar[str] = "Changes nodes that have certain labels, for example to cordon them."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["selectors", "state"],
        "properties": {
            "selectors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "propertyNames": {"$ref": "#/$defs/labelKey"},
                    "additionalProperties": {"$ref": "#/$defs/labelValue"},
                },
                "description": "A node is chosen if it has all labels of one of these maps.",
            },
            "state": {
                "type": "object",
                "minProperties": 1,
                "description": "A merge patch of the node; conditions of the status are merged by their type.",
            },
            "allowRealNodes": {
                "type": ["boolean", "null"],
                "description": "Change nodes that this tool did not make, too.",
            },
            "refTaskId": {"$ref": "#/$defs/string", "description": "Without a meaning; old files have it."},
            "index": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Without a meaning; old files have it.",
            },
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long the changes may take; without it, as long as they need.",
            },
        },
    }
    any_timeout: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        Rule(("list", "patch"), NODES),
        Rule(("patch",), NODES, "status", when="state.status"),
        Rule(("get",), NODES, use=Use.SOMETIMES),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            selectors=params["selectors"],
            state=params["state"],
            real_nodes=bool(params.get("allowRealNodes")),
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        for key, expected in (("apiVersion", NODES.api_version), ("kind", NODES.kind)):
            if key in self.state and self.state[key] != expected:
                message = f"a node's {key} is {expected!r}, and it cannot be changed"
                yield from scope.shared.warn_if_compat(self.document.violation(message, "state", key))
        for key in self.state.keys() - {"apiVersion", "kind", *_FIELDS}:
            message = f"a node has no field {key!r}, only {', '.join(_FIELDS)}"
            yield from scope.shared.warn_if_compat(self.document.violation(message, "state", key))
        metadata = self.state.get("metadata", {})
        if not isinstance(metadata, dict):
            yield self.document.violation("expected a map", "state", "metadata")
        elif "name" in metadata:
            yield self.document.violation("the name of a node cannot be changed", "state", "metadata", "name")
        if not self._patch():
            yield from scope.shared.warn_if_compat(
                self.document.violation("names no field that can be changed", "state")
            )

    def added_node_labels(self) -> Iterable[str]:
        metadata = self.state.get("metadata")
        added = metadata.get("labels") if isinstance(metadata, dict) else None
        return added if isinstance(added, dict) else ()

    def _patch(self) -> Patch:
        return Patch.of({key: self.state[key] for key in _FIELDS if key in self.state}, strategic=True)

    async def run(self, context: Context, scope: Scope) -> Outcome:
        if unused := [name for name in _UNUSED if name in self.document.params]:
            context.step.note(f"{' and '.join(unused)} mean nothing here: nodes are chosen by selectors alone")
        done: list[str] = []
        try:
            async with asyncio.timeout(self.timeout):
                matched = await self._update(context, done, lenient=scope.shared.lenient)
        except TimeoutError:
            raise DeadlineExceeded(
                f"not done after {self.timeout:g} s; {len(done)} nodes changed{context.heard()}"
            ) from None
        unchanged = matched - len(done)
        same = f", {unchanged} unchanged" if unchanged else ""
        data = {"matched": matched, "changed": len(done), "unchanged": unchanged}
        nodes = counted(("Node", name) for name in done) or "no node"
        return Outcome(message=f"{nodes} changed{same}", data=data)

    async def _update(self, context: Context, done: list[str], *, lenient: bool) -> int:
        """Patch the nodes that differ; returns how many were chosen."""
        patch = self._patch()
        selection = NodeSelection(selectors=self.selectors, all_nodes=self.real_nodes)
        former: dict[str, Patch] = {}
        matched = 0
        async for page in context.gateway.pages(NODES):
            for node in page:
                if selection.takes(node):
                    matched += 1
                    if reverse := patch.reverse(node):
                        former[node["metadata"]["name"]] = reverse
        if not matched:
            others = f"allowRealNodes: true chooses among the nodes of others too, {selection.foreign} of them"
            hint = others if selection.foreign else ""
            if lenient:
                context.step.note("; ".join(filter(None, (selection.complaint(), hint))), warning=True)
                return 0
            raise NotFound(selection.complaint(), status=404, hint=hint)
        group = context.ledger.group(f"changes of {self.document.id}")

        async def update(name: str) -> None:
            await self._change(context, group, patch, name, former[name])
            done.append(name)
            if len(done) % max(len(former) // 100, 1) == 0 or len(done) == len(former):
                context.step.progress(len(done), len(former))

        refused = await for_each(former, update)
        if refused:
            context.step.data.update({"matched": matched, "changed": len(done)})
            raise summed(refused, len(former))
        return matched

    async def _change(self, context: Context, group: Group, patch: Patch, name: str, former: Patch) -> None:
        # A node is known by its name: one that a cleanup has made again is to be as before, too.
        remembered = context.ledger.restores and not context.ledger.has_made(NODES, None, name)
        changed = Changed(resource=NODES, namespace=None, name=name, patch=former if remembered else Patch())
        await change(context.gateway, group, patch, changed)
