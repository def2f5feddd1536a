"""Which rights the tasks of a run need, and which of them the API server does not give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import Forbidden, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import Resource
from knavtool.workflow import rights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from knavtool.documents.workflow import TaskDocument
    from knavtool.kube.gateway import Gateway

    Place = tuple[Resource, str | None]

_EVERYTHING = Resource("*", "*", "*", "*", namespaced=True)


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource; no namespace means all of them, or a kind that lives in none."""

    verb: str
    resource: Resource
    subresource: str
    namespace: str | None

    @property
    def object(self) -> str:
        """`jobs.batch/status in namespace default`."""
        name = f"{self.resource}/{self.subresource}" if self.subresource else str(self.resource)
        if not self.resource.namespaced:
            return name
        return f"{name} in namespace {self.namespace}" if self.namespace else f"{name} in all namespaces"


def needed(document: TaskDocument, places: Collection[Place], *, cleanup: bool) -> Iterator[Right]:
    """The rights without which a task fails; `places` are the kinds and namespaces of the objects it works on."""
    kinds = {resource for resource, _ in places}
    for rule in rights.applying(document.type, document.params, kinds, cleanup=cleanup):
        for resource, namespace in _places(rule, document, places):
            for verb in rule.verbs:
                yield Right(verb, resource, rule.subresource, namespace)


def _places(rule: rights.Rule, document: TaskDocument, places: Collection[Place]) -> Collection[Place]:
    params = document.params
    if rule.resource == rights.SUBMITTED:
        found = places
    elif not rule.resource.namespaced or rule.everywhere:
        found = {(rule.resource, None)}
    elif rule.when and isinstance(params[rule.when], list):
        entries = [entry for entry in params[rule.when] if not rule.op or entry["op"] == rule.op]
        found = {(rule.resource, str(entry["namespace"])) for entry in entries}
    elif "namespace" in params:
        found = {(rule.resource, str(params["namespace"]))}
    else:
        found = {(rule.resource, namespace) for kind, namespace in places if rule.of in (None, kind)}
    if rule.together and len({namespace for _, namespace in found}) > 1:
        return {(resource, None) for resource, _ in found}
    return found


async def refused(gateway: Gateway, wanted: Collection[Right]) -> set[Right]:
    """Which of the rights this account lacks; an administrator costs one question.

    None if the server does not answer such questions: whoever may not ask may still be let through.
    """
    if not wanted:
        return set()
    places: dict[Right, list[Right]] = {}
    for right in wanted:
        places.setdefault(Right(right.verb, right.resource, right.subresource, None), []).append(right)
    # What is needed in several namespaces is asked for all of them first.
    first = {everywhere if len(given) > 1 else given[0] for everywhere, given in places.items()}
    try:
        if await gateway.may("*", _EVERYTHING):
            return set()
        missing = await _ask(gateway, first)
        rest = {right for everywhere in missing for right in places.get(everywhere, ())} - first
        return (missing | await _ask(gateway, rest)) & set(wanted)
    except (Forbidden, NotFound):
        return set()


async def _ask(gateway: Gateway, wanted: Collection[Right]) -> set[Right]:
    missing: set[Right] = set()

    async def ask(right: Right) -> None:
        if not await gateway.may(right.verb, right.resource, subresource=right.subresource, namespace=right.namespace):
            missing.add(right)

    for _, error in await for_each(wanted, ask):
        raise error
    return missing
