"""What `cluster up` has to do in a cluster that exists: look at everything, refuse what cannot work, change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.documents.entries import VIRTUAL_LABEL
from knavtool.engines.existing import installed, rights, values
from knavtool.engines.existing.look import Kinds, identify, look
from knavtool.errors import Conflict, Forbidden, NotFound, UsageError
from knavtool.kube.resource import NODES
from knavtool.kube.rights import refused, sentence
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from knavtool.engines.existing.installation import Installation
    from knavtool.engines.existing.installed import Installed
    from knavtool.engines.existing.look import Found, Target
    from knavtool.kube.client import Client
    from knavtool.kube.gateway import Gateway

_VIRTUAL_ANNOTATION = "kwok.x-k8s.io/node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was found of each wanted component, in the order of installation, and what the cluster is.

    `real_nodes` counts nodes that are no virtual ones; `records` are all components that knavtool installed, of which
    those `leaving` are removed first.
    """

    found: tuple[Found, ...]
    records: Mapping[str, Installed]
    real_nodes: int
    take_ownership: bool = False
    leaving: tuple[Installed, ...] = ()

    def left_alone(self, one: Found) -> bool:
        """Whether a component is somebody else's and stays that."""
        return bool(one.foreign) and not self.take_ownership

    @property
    def wanted(self) -> list[Found]:
        """What is to be installed or brought up to date."""
        return [one for one in self.found if not self.left_alone(one)]

    @property
    def needs_consent(self) -> bool:
        """Whether this is a cluster of somebody who may not know of knavtool yet."""
        return bool(self.real_nodes) and not self.records


async def make_plan(
    client: Client,
    installations: Sequence[Installation],
    *,
    take_ownership: bool,
    repair: bool = False,
    without: Collection[str] = (),
    needs: Callable[[str], Collection[str]] = lambda _: (),
) -> Plan:
    """Raises ClusterError, with all reasons at once, for what would stop the work halfway.

    `without` are to be removed: UsageError if something that is installed and stays needs one of them, as `needs` says.
    """
    kinds = Kinds(client)
    for one in installations:
        kinds.add(one.everything)
    targets = [await identify(kinds, one) for one in installations]
    # Who may not even look is told everything that is missing; otherwise what is left alone needs no more rights.
    if await refused(client, [right for one in targets for right in rights.reading(one)]):
        await _require_rights(client, targets, repair=repair)
    records = await installed.load(client)
    _require_unneeded(records, without, needs)
    async with task_group() as group:
        tasks = [group.create_task(look(client, kinds, one, records.get(one.installation.name))) for one in targets]
    plan = Plan(
        found=tuple(task.result() for task in tasks),
        records=records,
        real_nodes=await real_nodes(client),
        take_ownership=take_ownership,
        leaving=tuple(records[name] for name in reversed(records) if name in without),
    )
    _require_possible(plan)
    await _require_rights(client, plan.wanted, repair=repair)
    return plan


def describe(plan: Plan) -> Iterator[str]:
    """The plan for people, one line per action."""
    for gone in plan.leaving:
        by_helm = f", Helm release {gone.release[1]}/{gone.release[0]}" if gone.release is not None else ""
        yield f"remove {gone.name} {gone.version}{by_helm}"
        for ref in gone.objects:
            yield f"  - {ref}"
    for one in plan.found:
        installation, release = one.installation, one.installation.release
        if plan.left_alone(one):
            yield left_alone(one)
            continue
        before = "" if one.record is None else f", {one.record.version} is there"
        if release is not None:
            yield f"install {installation.title} as Helm release {release.namespace}/{release.name}{before}"
            if given := ", ".join(values.paths(installation.given)):
                yield f"  with values of its own: {given}"
            if dropped := sorted(set(one.record.values if one.record else ()) - set(values.paths(installation.given))):
                yield f"  without values it had: {', '.join(dropped)}"
        elif installation.objects:
            yield f"apply {installation.title}: {len(one.refs)} objects, {len(one.missing)} of them missing{before}"
        for ref in one.missing:
            yield f"  + {ref}"


def left_alone(one: Found) -> str:
    """Why a component is not touched."""
    some = ", ".join(one.foreign[:3]) + (f" and {len(one.foreign) - 3} more" if len(one.foreign) > 3 else "")
    note = f"{one.installation.name} is not touched: others installed it ({some}); --take-ownership takes it over"
    return "; ".join([note, *one.conflicts])


async def real_nodes(gateway: Gateway) -> int:
    """How many nodes are no virtual ones."""
    count = 0
    async for page in gateway.pages(NODES, metadata_only=True):
        for node in page:
            labels, annotations = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
            count += labels.get(VIRTUAL_LABEL[0]) != VIRTUAL_LABEL[1] and _VIRTUAL_ANNOTATION not in annotations
    return count


def _require_unneeded(
    records: Mapping[str, Installed], without: Collection[str], needs: Callable[[str], Collection[str]]
) -> None:
    for name in without:
        if name not in records:
            continue
        if needing := [other for other in records if other not in without and name in needs(other)]:
            message = f"--without {name}: {', '.join(needing)}, which is installed, needs it; nothing was changed"
            raise UsageError(message, hint="exclude that too")


def _require_possible(plan: Plan) -> None:
    conflicts = [said for one in plan.wanted for said in one.conflicts]
    if conflicts:
        hint = "remove the other version with its objects first, or choose the version that fits: --with NAME=VERSION"
        raise Conflict("\n".join([*conflicts, "nothing was changed"]), status=409, hint=hint)
    unserved = [(one.installation.name, group) for one in plan.wanted for group in one.unserved]
    if unserved:
        lines = [f"{name} needs the API {group}, which this cluster does not serve" for name, group in unserved]
        hint = "its administrator can turn it on: --runtime-config and --feature-gates of the control plane"
        raise NotFound("\n".join([*lines, "nothing was changed"]), status=404, hint=hint)


async def _require_rights(gateway: Gateway, targets: Iterable[Target], *, repair: bool) -> None:
    """All rights that are missing, before anything is sent."""
    wanted = list(dict.fromkeys(right for one in targets for right in rights.of(one, repair=repair)))
    missing = await refused(gateway, wanted)
    verbs: dict[str, list[str]] = {}
    for right in wanted:
        if right in missing:
            verbs.setdefault(right.object, []).append(right.verb)
    if verbs:
        lines = [sentence(given, what) for what, given in verbs.items()]
        hint = "installing components takes an administrator of the cluster; another --context may be one"
        raise Forbidden("\n".join([*lines, "nothing was changed"]), status=403, hint=hint)
