"""Whether the pods of each gang, or of each group in it, are in as many topology domains as they should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.workflow.observing.groups import PodGroup
from knavtool.workflow.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from knavtool.workflow.observing.gangs import Gang
    from knavtool.workflow.observing.groups import Grouping
    from knavtool.workflow.observing.pod_log import PodTimes
    from knavtool.workflow.references.amounts import Amount

_NO_LABEL = "(no label)"
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What is expected: of each gang, or of each group if there is a `grouping`, the pods are in `domains` domains.

    With `distinct` no domain has pods of two groups of a gang, or of two gangs if there is no grouping.
    """

    key: str
    domains: Amount
    distinct: bool
    grouping: Grouping | None

    def groups(self, gang: Gang, nodes: Mapping[str, Mapping[str, str]]) -> list[PodGroup]:
        """The groups of the pods that have a place; `nodes` has the labels of each node."""
        if self.grouping is None:
            return [PodGroup("", gang.placed)]
        return self.grouping.split(gang.placed, lambda times: self._domain(times, nodes))

    def faults(self, gangs: Sequence[Gang], nodes: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
        """What is not as expected, one line for each gang or group."""
        found = {gang.title: self.groups(gang, nodes) for gang in gangs}
        for gang in gangs:
            if self.grouping is not None:
                yield from self._miscounted(gang, found[gang.title], self.grouping)
            for group in found[gang.title]:
                yield from self._scattered(_named(gang.title, group), group.domains(lambda t: self._domain(t, nodes)))
        if not self.distinct:
            return
        sides = [[(gang.title, found[gang.title]) for gang in gangs]]
        if self.grouping is not None:
            sides = [[(_named(title, group), [group]) for group in groups] for title, groups in found.items()]
        for side in sides:
            yield from self._shared(side, nodes)

    def _miscounted(self, gang: Gang, groups: Sequence[PodGroup], grouping: Grouping) -> Iterator[str]:
        if not groups:
            yield f"{gang.title}: {grouping.complaint(gang.placed)}"
        elif grouping.count is not None and len(groups) not in (expected := grouping.count.plain()):
            names = some([group.title for group in groups], _SHOWN)
            yield f"{gang.title}: expected {expected} groups, actual {len(groups)} ({names})"

    def _scattered(self, title: str, domains: Mapping[str, int]) -> Iterator[str]:
        if len(domains) in self.domains and _NO_LABEL not in domains:
            return
        one = "one domain" if str(self.domains) == "1" else f"{self.domains} domains"
        spread = ", ".join(f"{domain}: {count}" for domain, count in sorted(domains.items()))
        yield f"{title}: expected {one} of {self.key}, actual {len(domains)} ({spread})"

    def _shared(
        self, side: Iterable[tuple[str, Sequence[PodGroup]]], nodes: Mapping[str, Mapping[str, str]]
    ) -> Iterator[str]:
        users: dict[str, dict[str, None]] = {}
        for title, groups in side:
            for group in groups:
                for domain in group.domains(lambda times: self._domain(times, nodes)):
                    users.setdefault(domain, {})[title] = None
        for domain, titles in users.items():
            if len(titles) > 1 and domain != _NO_LABEL:
                names = " and ".join(list(titles)[:_SHOWN]) + (", …" if len(titles) > _SHOWN else "")
                yield f"expected different domains of {self.key}, but {domain} has pods of {names}"

    def _domain(self, times: PodTimes, nodes: Mapping[str, Mapping[str, str]]) -> str:
        return nodes.get(times.node, {}).get(self.key, _NO_LABEL)


def _named(gang: str, group: PodGroup) -> str:
    return f"{gang}: {group.title}" if group.title else gang
