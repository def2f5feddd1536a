"""The rights of all task types, for the role in the chart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from knavtool.workflow.rights import SUBMITTED
from knavtool.workflow.tasks import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knavtool.kube.resource import Resource
    from knavtool.workflow.rights import Rule


def chart_data() -> str:
    """The rights of all task types as `charts/knavtool/files/rights.yaml`: per task type the verbs on each resource."""
    lines = ["# Written by `make generate`; do not edit."]
    for name, type_ in TYPES.items():
        lines.append(f"{name}:" + ("" if type_.rights else " []"))
        lines += [f"- {json.dumps(entry)}" for entry in _merged(type_.rights)]
    return "\n".join(lines) + "\n"


def _merged(rules: Iterable[Rule]) -> Iterator[dict[str, Any]]:
    verbs: dict[tuple[Resource, str, Resource | None, bool, tuple[str, ...]], set[str]] = {}
    for rule in rules:
        key = (rule.resource, rule.subresource, rule.of, rule.everywhere, rule.names)
        verbs.setdefault(key, set()).update(rule.verbs)
    for (resource, subresource, of, everywhere, names), given in verbs.items():
        suffix = f"/{subresource}" if subresource else ""
        entry: dict[str, Any]
        if resource == SUBMITTED:
            entry = {"submitted": True, "suffix": suffix}
        else:
            entry = {"apiGroup": resource.group, "resource": f"{resource.plural}{suffix}"}
            entry["clusterWide"] = everywhere or not resource.namespaced
        if of is not None:
            entry["of"] = {"apiGroup": of.group, "resource": of.plural}
        if names:
            entry["names"] = names
        yield entry | {"verbs": sorted(given)}
