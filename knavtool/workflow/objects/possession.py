"""Objects that a task may change or delete: those of the run, those of this tool, and others only if it is allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.errors import NotFound
from knavtool.kube.resource import NODES
from knavtool.nodes.ownership import owner_of
from knavtool.workflow.objects.selection import known, whole
from knavtool.workflow.observing.ownership import Ownership, Whose
from knavtool.workflow.undoing.ledger import Before, Nodes
from knavtool.workflow.undoing.node_snapshot import snapshot_nodes
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.workflow.objects.selection import Selection
    from knavtool.workflow.submission import Submitted
    from knavtool.workflow.task import Context
    from knavtool.workflow.undoing.ledger import Group, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """An object to be changed, whose it is, and how it was; one of a SubmitObj is known by its name alone."""

    item: Submitted
    whose: Whose | None = None
    live: Manifest = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return str(self.item)


async def choose_own(context: Context, selection: Selection, *, allow_others: bool) -> list[Chosen]:
    """The chosen objects that may be touched; raises NotFound if there are none."""
    choice = await selection.choose(context)
    possession = _Possession(context.gateway, context.ledger)
    chosen = []
    for candidate in await choice.candidates():
        if await choice.takes(candidate):
            live = whole(choice.resource, candidate)
            whose = await possession.of(choice.resource, live)
            chosen.append(Chosen(item=known(choice.resource, live), whose=whose, live=live))
    allowed = chosen if allow_others else [one for one in chosen if one.whose is not Whose.OTHERS]
    foreign = len(chosen) - len(allowed)
    if not allowed:
        if foreign:
            raise NotFound(
                f"there is no {choice.words()} that this run or knavtool made",
                status=404,
                hint=f"allowOthers: true chooses among the objects of others too, {foreign} of them",
            )
        instead = await choice.instead()
        raise NotFound("\n".join(filter(None, (f"there is no {choice.words()}", instead))), status=404)
    if foreign:
        left = counted((selection.kind, None) for _ in range(foreign))
        context.step.note(f"{left} of others left alone; allowOthers: true would choose them too")
    return allowed


_IRREPLACEABLE = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""(group, kind) of what takes more with it than its manifest says."""


def irreplaceable(one: Chosen) -> bool:
    """Whether the object, once deleted, cannot be given back to those whose it is."""
    resource = one.item.resource
    if one.whose is Whose.TOOL and resource == NODES:
        return False
    return one.whose is not Whose.RUN and (resource.group, resource.kind) in _IRREPLACEABLE


async def remember(context: Context, group: Group, chosen: Sequence[Chosen]) -> None:
    """Write down what the cleanup has to bring back of objects that are about to be deleted.

    Not what the run made, and not what a controller makes again by itself.
    """
    lost = [one for one in chosen if one.whose in (Whose.TOOL, Whose.OTHERS)] if context.ledger.restores else []
    if any(one.item.resource == NODES for one in lost):
        group.nodes = Nodes(before=await snapshot_nodes(context.gateway))
        return
    for one in lost:
        owners = one.live["metadata"].get("ownerReferences") or ()
        if not any(owner.get("controller") for owner in owners):
            group.before.append(Before(resource=one.item.resource, namespace=one.item.namespace, manifest=one.live))
            context.ledger.follow_by_name(one.item.resource, one.item.namespace, one.item.name)


class _Possession:
    """Tells whose an object is."""

    def __init__(self, gateway: Gateway, ledger: Ledger) -> None:
        self._ledger = ledger
        self._made = {made.uid for made in ledger.made() if made.uid}
        self._ownership = Ownership(gateway, self._made)

    async def of(self, resource: Resource, live: Manifest) -> Whose:
        """By what the run wrote down, by its owners, or by the label of ours."""
        metadata = live["metadata"]
        made = resource == NODES and self._ledger.has_made(NODES, None, metadata["name"])
        if made or metadata["uid"] in self._made or await self._ownership.below(live):
            return Whose.RUN
        return Whose.TOOL if owner_of(live).ours else Whose.OTHERS
