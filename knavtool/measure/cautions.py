"""What a reader of two compared runs must know: where they are not alike, and what each of them lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.measure.comparing import Comparison, Run

ONE_AGAINST_ONE = (
    "One run against one: this says what differed, not whether it would differ again. Repeat both to learn that."
)

_CLOCKS = {"audit": "the audit log", "watch": "the watch"}
_SIZES = (("pods.count", "pods"), ("gangs.count", "gangs"), ("gpu.capacity", "GPUs"))
_NAMELESS = "one without a name"
_SETUP = ("knavtool", "server", "context", "cores", "system", "python")


def cautions(comparison: Comparison) -> list[str]:
    """One sentence each, the most important first."""
    before, after = comparison.before, comparison.after
    return [
        *_between(before, after),
        *(text for side, run in (("A", before), ("B", after)) for text in _of(side, run)),
    ]


def _between(before: Run, after: Run) -> Iterator[str]:
    if before.about is not None and after.about is not None:
        one, other = before.about, after.about
        if one.name != other.name:
            yield f"different workflows: A ran {one.name or _NAMELESS}, B {other.name or _NAMELESS}"
        if one.clock != other.clock:
            clocks = [_CLOCKS.get(clock, clock) for clock in (one.clock, other.clock)]
            later = f"{'A' if one.clock == 'watch' else 'B'}'s are later by its lag"
            yield f"different clocks: A has the moments of {clocks[0]}, B those of {clocks[1]}; {later}"
        cores = one.environment.get("cores"), other.environment.get("cores")
        if None not in cores and cores[0] != cores[1]:
            yield f"different machines: A had {cores[0]} processors, B {cores[1]}"
    yield from _settings(_changed(before), _changed(after))
    for name, what in _SIZES:
        first, second = before.measure(name).value, after.measure(name).value
        if first is not None and second is not None and first != second:
            yield f"different numbers of {what}: {first:,.10g} in A, {second:,.10g} in B"
    nodes = before.measure("gpu.capacity"), after.measure("gpu.capacity")
    if nodes[0].n != nodes[1].n and all(one.value is not None for one in nodes):
        yield f"different numbers of nodes: {nodes[0].n:,} in A, {nodes[1].n:,} in B"


def _settings(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        one, other = (changed.get(name, "those of its record") for changed in (before, after))
        if one != other:
            yield f"different settings of {name}: {one} in A, {other} in B"


def _of(side: str, run: Run) -> Iterator[str]:
    created, bound = run.measure("pods.count").value, run.measure("pods.bound").value
    if created and bound is not None and bound < created:
        yield f"{side}: {created - bound:,.0f} of {created:,.0f} pods were never bound, so their waits are not counted"
    if run.about is None:
        yield f"{side}: {run.label} does not say by which clock its moments are, nor whether the run was saturated"
        return
    if run.about.passed is not True:
        yield f"{side} did not pass" if run.about.passed is False else f"{side} did not end"
    for reason in run.about.saturated:
        yield f"{side} was saturated, so the scheduler was not the limit: {reason}"
    for note in run.about.notes:
        yield f"{side}: {note}"


def setups(comparison: Comparison) -> list[tuple[str, str, str]]:
    """What is different in the surroundings of both runs: (what, in A, in B), empty texts where it is unknown."""
    before, after = comparison.before, comparison.after
    if before.about is None or after.about is None:
        return []
    found = []
    names = dict.fromkeys([*_SETUP, *before.about.environment, *after.about.environment])
    for name in names:
        one, other = before.about.environment.get(name, ""), after.about.environment.get(name, "")
        if one != other:
            found.append((name, one, other))
    first, second = _components(before), _components(after)
    for name in sorted({*first, *second}):
        one, other = first.get(name, ""), second.get(name, "")
        if one != other:
            found.append((name, one, other))
    return found


def _components(run: Run) -> dict[str, str]:
    rows = run.tables["components"].rows if run.tables is not None else ()
    return {str(name): " ".join(str(one) for one in told if one) for name, *told in rows}


def _changed(run: Run) -> dict[str, str]:
    """What users set, by process."""
    rows = run.tables["components"].rows if run.tables is not None else ()
    return {str(name): str(changed) for name, _, _, changed in rows if changed}
