"""Benches that nobody ran: files of one, and repetitions with the numbers that a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.bench.directory import Directory
from knavtool.bench.planning import Planned, Slot, check
from knavtool.bench.repetition import Repetition, Status
from knavtool.bench.running import Progress
from knavtool.documents.bench_file import load_bench_file
from knavtool.documents.yaml import dump
from knavtool.measure.names import all_names, unit_of
from knavtool.measure.table import Measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SETUP = "name: setup\ntasks:\n- {id: setup, type: Sleep, params: {timeout: 1s}}\n"
WORKLOAD = "name: work\nvariables: {ttl: 1s, size: 1}\ntasks:\n- {id: work, type: Sleep, params: {timeout: '${ttl}'}}\n"


def planned(
    directory: Path, *, contenders: Sequence[str] = ("A", "B"), of_a: Mapping[str, Any] | None = None, **fields: Any
) -> Planned:
    """A bench whose file is written to the directory; `of_a` are more fields of the first contender."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "setup.yml").write_text(SETUP)
    (directory / "work.yml").write_text(WORKLOAD)
    content: dict[str, Any] = {
        "name": "test",
        "workload": "work.yml",
        "contenders": [{"name": name, "setup": "setup.yml"} for name in contenders],
        **fields,
    }
    content["contenders"][0] |= of_a or {}
    (directory / "bench.yml").write_text(dump([content]))
    return check(load_bench_file(directory / "bench.yml", all_names()))


def repetition(
    slot: Slot,
    measures: Mapping[str, float | None],
    *,
    attempt: int = 1,
    status: Status = Status.OK,
    seconds: Mapping[str, float] | None = None,
    **fields: Any,
) -> Repetition:
    """What became of one repetition."""
    known = {
        name: Measure(name=name, value=value, unit=unit_of(name), n=10, why="" if value is not None else "no queue")
        for name, value in measures.items()
    }
    took = {"start": 4.0, "run": 20.0, "end": 1.0} if seconds is None else seconds
    return Repetition(
        slot=slot,
        attempt=attempt,
        status=status,
        began="2026-01-01T00:00:00.000+00:00",
        seconds=took,
        measures=known,
        **fields,
    )


def progress(bench: Planned, samples: Mapping[str, Mapping[str, Sequence[float | None]]]) -> Progress:
    """All repetitions of a bench with one scenario: numbers by contender and measure, one for each repetition."""
    found = Progress(bench, list(bench.schedule()))
    for slot in found.slots:
        if slot.number:
            numbers = {name: values[slot.number - 1] for name, values in samples[slot.contender].items()}
            found.attempts[slot] = [repetition(slot, numbers)]
        else:
            found.attempts[slot] = [repetition(slot, {})]
    return found


def saved(found: Progress, directory: Directory) -> None:
    """Write repetitions as a bench does."""
    for slot, attempts in found.attempts.items():
        for one in attempts:
            place = directory.of(found.bench, slot, one.attempt)
            place.mkdir(parents=True, exist_ok=True)
            one.save(place)
