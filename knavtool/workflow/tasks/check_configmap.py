"""CheckConfigmap: compare the data of a config map, at once or until it fits."""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.documents.values import text
from knavtool.errors import NotFound
from knavtool.kube.gateway import Change
from knavtool.kube.resource import CONFIG_MAPS
from knavtool.workflow.objects.limits import Limit
from knavtool.workflow.observing.matching import mismatches
from knavtool.workflow.rights import FOLLOW, Rule
from knavtool.workflow.task import Outcome, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.observing.matching import Mismatch
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfigmap(Task):
    """Without a timeout one look decides; `exact` means that there must be no other keys."""

    name: str
    namespace: str
    exact: bool
    data: Mapping[str, str]
    timeout: float | None

    summary: ClassVar[str] = "Waits until a config map has the expected data."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["name", "namespace", "op"],
        "properties": {
            "name": {"$ref": "#/$defs/dnsName", "description": "The name of the config map."},
            "namespace": {"$ref": "#/$defs/dnsLabel", "description": "The namespace that it is in."},
            "op": {
                "enum": ["equal", "subset"],
                "description": "equal: it has exactly this data; subset: it has at least this data.",
            },
            "data": {
                "type": ["object", "null"],
                "additionalProperties": {"$ref": "#/$defs/nullableString"},
                "description": "What the config map must hold; for op equal nothing else.",
            },
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long to wait for it; without it one look decides.",
            },
        },
    }
    any_timeout: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        Rule(("get",), CONFIG_MAPS),
        Rule(FOLLOW, CONFIG_MAPS, when="timeout"),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            name=params["name"],
            namespace=params["namespace"],
            exact=params["op"] == "equal",
            data={key: text(value) for key, value in (params.get("data") or {}).items()},
            timeout=timeout_of(document),
        )

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - nothing is referred to
        live: Manifest | None = None
        if self.timeout is None:
            with suppress(NotFound):
                live = await context.gateway.get(CONFIG_MAPS, self.name, namespace=self.namespace)
            return self._outcome(live)
        watching = context.gateway.watch(
            CONFIG_MAPS, namespace=self.namespace, field_selector=f"metadata.name={self.name}"
        )
        what = f"config map {self.namespace}/{self.name}"
        async with Limit(self.timeout, what, context) as limit, aclosing(watching) as events:
            async for event in events:
                if not event.synced:
                    live = None if event.change is Change.DELETED else event.object
                if live is not None and not self._differences(live):
                    break
                if event.synced:
                    limit.looked()
        return self._outcome(live)

    def _differences(self, live: Manifest) -> list[Mismatch]:
        actual = live.get("data") or {}
        expected: dict[str, Any] = dict.fromkeys(actual.keys() - self.data.keys()) if self.exact else {}
        return mismatches({"data": {**expected, **self.data}}, {"data": actual})

    def _outcome(self, live: Manifest | None) -> Outcome:
        place = f"config map {self.namespace}/{self.name}"
        after = f" after {self.timeout:g} s" if self.timeout is not None else ""
        if live is None:
            return Outcome(passed=False, message=f"{place} does not exist{after}", data={"exists": False})
        found = self._differences(live)
        if not found:
            return Outcome(message=f"{place} {'has exactly' if self.exact else 'has'} the data", data={"exists": True})
        data = {"exists": True, "mismatches": [one.data() for one in found]}
        lines = [f"{place} differs{after}", *(f"  {one}" for one in found)]
        return Outcome(passed=False, message="\n".join(lines), data=data)
