"""From repetitions to a result: what counts, and how contenders compare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from knavtool import __version__
from knavtool.bench import machine
from knavtool.bench.judge import compare, decide, summary
from knavtool.bench.planning import Slot, digest
from knavtool.bench.repetition import Status
from knavtool.bench.result import Attempt, Cell, Contender, Result
from knavtool.bench.rules import verdict
from knavtool.measure.names import more_is_better

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.bench.directory import Directory
    from knavtool.bench.planning import Planned
    from knavtool.bench.repetition import Repetition
    from knavtool.bench.running import Progress


def judge(bench: Planned, progress: Progress, directory: Directory) -> Result:
    """The result of what there is, whether it is all that was asked for or not."""
    counted = {slot: one for slot in progress.slots if (one := progress.counted(slot)) is not None}
    cells = tuple(_cells(bench, counted))
    file = bench.file
    return Result(
        name=file.name,
        description=file.description,
        knavtool=__version__,
        digest=digest(bench),
        machine=machine.about() | _clusters(progress),
        baseline=file.baseline,
        repetitions=file.repetitions,
        same_within=file.same_within,
        measures=bench.measures,
        scenarios=tuple(one.name for one in bench.scenarios),
        contenders=tuple(_contender(one.name, progress) for one in file.contenders),
        attempts=tuple(
            Attempt(
                scenario=slot.scenario,
                contender=slot.contender,
                number=slot.number,
                attempt=one.attempt,
                status=one.status.value,
                counted=slot.number > 0 and counted.get(slot) is one,
                directory=str(directory.of(bench, slot, one.attempt).relative_to(directory.path)),
                began=one.began,
                seconds=one.seconds,
                message=one.message,
                marks=one.marks,
                limits=one.limits,
                notes=one.notes,
                measured=bool(one.measures),
            )
            for slot in progress.slots
            for one in progress.attempts.get(slot, ())
        ),
        cells=cells,
        verdict=tuple(verdict(bench, cells)),
        whole=progress.done == len(progress.slots),
    )


def _clusters(progress: Progress) -> dict[str, str]:
    """The cluster that existed before, if repetitions took place in one."""
    told = {one.cluster for attempts in progress.attempts.values() for one in attempts if one.cluster}
    return {"cluster": "; ".join(sorted(told))} if told else {}


def _contender(name: str, progress: Progress) -> Contender:
    own = [one for slot, attempts in progress.attempts.items() for one in attempts if slot.contender == name]
    told = [one for one in own if one.components]
    failed = [one for one in own if one.status is not Status.OK]
    reason = next((one.message for one in failed if one.status is Status.BROKEN and not one.started), "")
    if reason:
        reason = f"its cluster did not come up: {reason}"
    elif failed and not any(one.slot.number > 0 and one.status is Status.OK for one in own):
        reason = f"no repetition came to its end: {failed[-1].message}"
    elif counted := [one for one in failed if one.slot.number > 0]:
        ran = {one.slot for one in own if one.slot.number > 0}
        reason = f"{len(counted)} of {len(ran)} repetitions failed: {counted[0].message}"
    last = told[-1] if told else None
    return Contender(
        name=name,
        components=last.components if last is not None else (),
        tunables=last.tunables if last is not None else (),
        failure=reason,
    )


def _cells(bench: Planned, counted: Mapping[Slot, Repetition]) -> Iterator[Cell]:
    """Every measure of every contender in every scenario, compared with the baseline."""
    names = [one.name for one in bench.file.contenders]
    keys = [
        (scenario.name, contender, measure)
        for scenario in bench.scenarios
        for contender in names
        for measure in bench.measures
    ]
    found = {key: _cell(key, counted) for key in keys}
    pairs = {
        key: (list(cell.samples.values()), list(first.samples.values()))
        for key, cell in found.items()
        if key[1] != bench.file.baseline
        and cell.samples
        and (first := found[key[0], bench.file.baseline, key[2]]).samples
    }
    raw = {
        key: compare(samples, baseline, margin=bench.file.same_within, comparisons=len(pairs))
        for key, (samples, baseline) in pairs.items()
    }
    decided = decide(raw, {key: more_is_better(key[2]) for key in raw})
    for key, cell in found.items():
        yield replace(cell, comparison=decided.get(key))


def _cell(key: tuple[str, str, str], counted: Mapping[Slot, Repetition]) -> Cell:
    scenario, contender, measure = key
    own = {
        slot.number: one
        for slot, one in counted.items()
        if (slot.scenario, slot.contender) == (scenario, contender) and slot.number > 0
    }
    known = {number: one.measures[measure].value for number, one in own.items() if measure in one.measures}
    samples = {number: value for number, value in sorted(known.items()) if value is not None}
    reasons = [one.measures[measure].why for one in own.values() if measure in one.measures]
    why = "" if samples else next(filter(None, reasons), "no repetition came to its end")
    return Cell(
        scenario=scenario,
        contender=contender,
        measure=measure,
        samples=samples,
        marked=tuple(number for number in samples if own[number].marks),
        summary=summary(list(samples.values())) if samples else None,
        why=why,
    )
