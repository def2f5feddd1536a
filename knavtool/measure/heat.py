"""How full each node was over time, in as many rows and intervals as a picture can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.measure.resources import amounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.measure.facts import Facts

_ROWS = 64
_INTERVALS = 120


def heat(facts: Facts, begin: float, end: float) -> list[tuple[Any, ...]]:
    """Rows of the table `heat`: for each node, or group of nodes, the highest share of its GPUs in each interval."""
    has: dict[str, float] = {}
    place: dict[str, tuple[str, str]] = {}
    changes: dict[str, list[tuple[float, int, float]]] = {}
    for node in facts.nodes:
        gpus = amounts(node.allocatable)[0]
        if gpus:
            has[node.name] = max(has.get(node.name, 0.0), gpus)
            place[node.name] = (node.rack, node.pool)
    for pod in facts.pods:
        gpus = amounts(pod.requests)[0]
        if pod.bound is not None and gpus and pod.node in has:
            changes.setdefault(pod.node, []).append((pod.bound, 1, gpus))
            if pod.left is not None:
                changes[pod.node].append((max(pod.left, pod.bound), 0, -gpus))
    if not has or end <= begin:
        return []
    width = (end - begin) / _INTERVALS
    rows = []
    for title, rack, nodes in _groups(has, place):
        whole = sum(has[node] for node in nodes)
        steps = sorted(step for node in nodes for step in changes.get(node, ()))
        peaks = _peaks(steps, begin, width)
        rows += [
            (title, rack, len(nodes), begin + number * width, begin + (number + 1) * width, min(peak / whole, 1.0))
            for number, peak in enumerate(peaks)
        ]
    return rows


def _groups(has: Mapping[str, float], place: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str, list[str]]]:
    """(title, rack or pool, nodes): each node on its own, or racks, or equal parts of pools if there are many."""
    ordered = sorted(has, key=lambda name: (*place[name], _natural(name)))
    if len(ordered) <= _ROWS:
        for name in ordered:
            yield name, place[name][0] or place[name][1], [name]
        return
    racks: dict[str, list[str]] = {}
    for name in ordered:
        racks.setdefault(place[name][0], []).append(name)
    if 1 < len(racks) <= _ROWS and "" not in racks:
        for rack, nodes in racks.items():
            yield rack, rack, nodes
        return
    size = -(-len(ordered) // _ROWS)
    for start in range(0, len(ordered), size):
        part = ordered[start : start + size]
        yield f"{part[0]} to {part[-1]}", place[part[0]][0] or place[part[0]][1], part


def _natural(name: str) -> tuple[str, int]:
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)


def _peaks(steps: Sequence[tuple[float, int, float]], begin: float, width: float) -> list[float]:
    """The highest value in each interval of a sum that changes in steps."""
    peaks = [0.0] * _INTERVALS
    value, position = 0.0, 0
    for number in range(_INTERVALS):
        peaks[number] = value
        until = begin + (number + 1) * width
        while position < len(steps) and (steps[position][0] < until or number == _INTERVALS - 1):
            value += steps[position][2]
            peaks[number] = max(peaks[number], value)
            position += 1
    return peaks
