"""Whether anything in the cluster acts on the label that puts an object in a queue.

Without a controller for its kind such a label does nothing: the object starts at once, and nobody notices. The server
tells by what admission makes of the object in a dry run, so it does not matter how the controller is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import ClusterError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.catalogue.advice import Advice
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.workflow.preflight.objects import PlannedObjects
    from knavtool.workflow.task import Item

_ANY_NAMESPACE = "default"
"""Where it is tried when the namespace is one that the plan itself makes."""


async def unheeded_labels(gateway: Gateway, run: PlannedObjects, advice: Advice) -> list[str]:
    """A sentence for each queue label and kind that nothing acts on, at the first task that submits one.

    One request per label and kind. Objects that are marked before they are sent, and dry runs that the server refuses,
    tell nothing.
    """
    labelled = list(_labelled(run))
    # The records are read only for objects that could have such a label.
    known = {label.name: label for label in advice.queue_labels()} if labelled else {}
    asked: set[tuple[str, str]] = set()
    found = []
    for order, item, body in labelled:
        for label in (known[name] for name in known.keys() & body["metadata"]["labels"].keys()):
            resource = run.kinds.get((item.api_version, item.kind))
            mark = label.marks.get(item.kind, "")
            if resource is None or not mark or (label.name, item.kind) in asked or _at(body, mark):
                continue
            asked.add((label.name, item.kind))
            if await _queued(gateway, resource, item, body, mark):
                continue
            document = run.tasks[order].document
            found.append(
                f"{document.where()}: {document.id}: {item.kind} {item.name} has the label {label.name}, but nothing "
                f"in the cluster acts on it: it starts without waiting in the queue; {label.hint}"
            )
    return found


def _labelled(run: PlannedObjects) -> Iterator[tuple[int, Item, Manifest]]:
    """One object per document of the template of each task, by the number of the task, if it has labels."""
    for order in range(len(run.tasks)):
        for item in run.first_items(order):
            body: Manifest = orjson.loads(item.body)
            if body["metadata"].get("labels"):
                yield order, item, body


async def _queued(gateway: Gateway, resource: Resource, item: Item, body: Manifest, mark: str) -> bool:
    """Whether the server would create the object with the mark; True too when it does not tell."""
    kept = {key: body["metadata"][key] for key in ("labels", "annotations") if key in body["metadata"]}
    # Under another name: one of that name may exist.
    trial = {**body, "metadata": {**kept, "generateName": "knavtool-"}}
    place = item.place(resource)
    try:
        try:
            admitted = await gateway.dry_run_create(resource, trial, namespace=place)
        except NotFound:
            admitted = await gateway.dry_run_create(resource, trial, namespace=place and _ANY_NAMESPACE)
    except ClusterError:
        return True
    return bool(_at(admitted, mark))


def _at(manifest: Manifest, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to, None if nothing is there."""
    here: Any = manifest
    for part in pointer.split("/")[1:]:
        here = here.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(here, dict) else None
    return here
