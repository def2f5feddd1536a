"""What is asked of the API server before the first task runs: are the kinds served, may we, are the names free.

Everything that would stop the run halfway is told at once, with the place of the task, and so is a queue label that
nothing acts on. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import AlreadyExists, ClusterError, Forbidden, InvalidDocument, NotFound, NotServed
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NAMESPACES
from knavtool.kube.rights import refused, sentence
from knavtool.workflow.preflight.objects import PlannedObjects
from knavtool.workflow.preflight.permissions import needed
from knavtool.workflow.preflight.queueing import unheeded_labels
from knavtool.workflow.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knavtool.catalogue.advice import Advice
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Resource
    from knavtool.kube.rights import Right
    from knavtool.workflow.rendered import RenderedPlan
    from knavtool.workflow.task import Name

_ASKED_ONE_BY_ONE = 5
"""Up to so many names of a kind in a namespace cost less as single questions than as a list of all."""
_SHOWN = 3
_STATUS: dict[type[ClusterError], int] = {NotServed: 404, Forbidden: 403, AlreadyExists: 409}
_HINTS: dict[type[ClusterError], str] = {
    Forbidden: "the role of the chart `knavtool` has the rights that workflows need; an administrator can grant them",
    AlreadyExists: "delete what exists, or set canExist: true if it may be used as it is",
}


async def preflight(
    gateway: Gateway, rendered: RenderedPlan, *, cleanup: bool = False, advice: Advice | None = None
) -> list[str]:
    """Raises one ClusterError with everything that would stop the run; `cleanup` asks for its rights too.
    InvalidDocument if a task looks for a kind in a namespace that lives in none.

    Returns warnings about what would go on, but not as it reads. Kinds that the plan itself defines are not asked for.
    What the server does not tell is no fault: the run will show. `advice` says what to install.
    """
    run = PlannedObjects(rendered)
    found = await _unserved(gateway, run, advice)
    if wrong := list(run.misplaced()):
        raise InvalidDocument(wrong)
    found += await _missing_rights(gateway, run, cleanup=cleanup)
    found += await _taken_names(gateway, run)
    if not found:
        return await unheeded_labels(gateway, run, advice) if advice is not None else []
    found.sort(key=lambda finding: finding.order)
    causes = list(dict.fromkeys(finding.cause for finding in found))
    lines = dict.fromkeys(f"{finding.place}: {finding.message}" for finding in found)
    error = causes[0] if len(causes) == 1 else ClusterError
    message = "\n".join([*lines, "nothing was changed"])
    hint = "; ".join(dict.fromkeys(finding.hint or _HINTS[finding.cause] for finding in found))
    raise error(message, status=_STATUS[causes[0]], hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One thing that would stop the run; `order` is that of the tasks, `hint` what to try if not the usual."""

    order: int
    place: str
    message: str
    cause: type[ClusterError]
    hint: str = ""


def _finding(run: PlannedObjects, order: int, message: str, cause: type[ClusterError], hint: str = "") -> _Finding:
    """Something about the task of that number."""
    document = run.tasks[order].document
    return _Finding(order=order, place=f"{document.where()}: {document.id}", message=message, cause=cause, hint=hint)


async def _unserved(gateway: Gateway, run: PlannedObjects, advice: Advice | None) -> list[_Finding]:
    """Find the kinds; returns those that the server does not know, at each task that submits or chooses them."""

    async def discover(kind: tuple[str, str]) -> None:
        run.kinds[kind] = await gateway.discover(*kind)

    unknown: dict[tuple[str, str], tuple[str, str]] = {}
    for kind, error in await for_each(sorted(run.wanted_kinds), discover):
        if not isinstance(error, NotServed):
            raise error
        install = advice.to_install(*kind) if advice is not None and not error.served_as else ""
        unknown[kind] = error.message, f"{install} brings it" if install else error.hint
    return [
        _finding(run, order, message, NotServed, hint)
        for order in range(len(run.tasks))
        for kind in dict.fromkeys(run.kinds_of(order))
        if kind in unknown
        for message, hint in [unknown[kind]]
    ]


async def _missing_rights(gateway: Gateway, run: PlannedObjects, *, cleanup: bool) -> list[_Finding]:
    """Each right that is not given, at the first task that needs it."""
    wanted: dict[Right, int] = {}
    for order, task in enumerate(run.tasks):
        places = dict.fromkeys(run.places(order))
        for right in needed(task.task, places, cleanup=cleanup):
            wanted.setdefault(right, order)
    missing = await refused(gateway, wanted)
    verbs: dict[tuple[int, str], list[str]] = {}
    for right, order in wanted.items():
        if right in missing:
            verbs.setdefault((order, right.object), []).append(right.verb)
    return [_finding(run, order, sentence(given, what), Forbidden) for (order, what), given in verbs.items()]


async def _taken_names(gateway: Gateway, run: PlannedObjects) -> list[_Finding]:
    """Objects that exist already and must not, but those that an earlier task deletes."""
    wanted: dict[tuple[Resource, str | None], dict[str, int]] = {}
    freed: set[Name] = set()
    for order, planned in enumerate(run.tasks):
        freed.update(planned.task.freed())
        if planned.task.deletes:
            freed.update(run.names(order))
        if planned.task.needs_free_names:
            for resource, namespace, name in run.names(order):
                gone = {(resource, namespace, name), (NAMESPACES, None, namespace or "")}
                if freed.isdisjoint(gone):
                    wanted.setdefault((resource, namespace), {}).setdefault(name, order)
    found: list[_Finding] = []

    async def look(place: tuple[Resource, str | None]) -> None:
        by_task: dict[int, list[str]] = {}
        for name in await _existing(gateway, *place, wanted[place]):
            by_task.setdefault(wanted[place][name], []).append(name)
        found.extend(_finding(run, order, _exist(*place, names), AlreadyExists) for order, names in by_task.items())

    for _, error in await for_each(wanted, look):
        if not isinstance(error, Forbidden):
            raise error
    return found


async def _existing(gateway: Gateway, resource: Resource, namespace: str | None, names: Iterable[str]) -> list[str]:
    """Which of the names are taken."""
    names = list(names)
    if len(names) > _ASKED_ONE_BY_ONE:
        there = {
            item["metadata"]["name"]
            async for page in gateway.pages(resource, namespace=namespace, metadata_only=True)
            for item in page
        }
        return [name for name in names if name in there]
    taken = []
    for name in names:
        try:
            await gateway.get(resource, name, namespace=namespace)
        except NotFound:
            continue
        taken.append(name)
    return taken


def _exist(resource: Resource, namespace: str | None, names: Sequence[str]) -> str:
    where = f" in namespace {namespace}" if namespace else ""
    if len(names) == 1:
        return f"{resource.kind} {names[0]} exists already{where}"
    some = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names)} {plural(resource.kind)} exist already{where}: {some}"
