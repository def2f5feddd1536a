"""Runs a bench: one repetition after the other, again those that cannot be trusted, and none that is there already."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.bench.repeating import repeat
from knavtool.bench.repetition import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.bench.directory import Directory
    from knavtool.bench.planning import Planned, Slot
    from knavtool.bench.repeating import Place
    from knavtool.bench.repetition import Repetition
    from knavtool.events import Steps

_FAILURES = 2
"""So many repetitions in a row end what a contender has to do in a scenario."""


@dataclass(slots=True)
class Progress:
    """What there is of a bench: the attempts at each repetition, and why those that are left out are.

    `now` is the repetition that goes on.
    """

    bench: Planned
    slots: list[Slot]
    attempts: dict[Slot, list[Repetition]] = field(default_factory=dict)
    skipped: dict[Slot, str] = field(default_factory=dict)
    now: Slot | None = None

    @classmethod
    def of(cls, bench: Planned, directory: Directory) -> Progress:
        """What a directory has."""
        found = cls(bench, list(bench.schedule()))
        for slot in found.slots:
            if attempts := directory.attempts(bench, slot):
                found.attempts[slot] = attempts
        return found

    def counted(self, slot: Slot) -> Repetition | None:
        """The attempt whose numbers count: the first that can be trusted, otherwise the last; None if all failed."""
        fine = [one for one in self.attempts.get(slot, ()) if one.status is Status.OK]
        return next((one for one in fine if not one.marks), fine[-1] if fine else None)

    def missing(self, slot: Slot) -> bool:
        """Whether a repetition has to be run, perhaps again."""
        attempts = self.attempts.get(slot, [])
        if not attempts:
            return slot not in self.skipped
        if slot.number == 0 or len(attempts) > self.bench.file.retries:
            return False
        last = attempts[-1]
        return last.status is Status.OK and bool(last.marks)

    @property
    def done(self) -> int:
        """How many repetitions need nothing any more."""
        return sum(not self.missing(slot) for slot in self.slots)

    def remaining(self) -> float | None:
        """Seconds until the end, from what each contender took so far; None before anything is known."""
        took: dict[str, list[float]] = defaultdict(list)
        for slot, attempts in self.attempts.items():
            took[slot.contender] += [one.whole for one in attempts]
        every = [seconds for each in took.values() for seconds in each]
        if not every:
            return None
        mean = sum(every) / len(every)
        return sum(
            sum(took[slot.contender]) / len(took[slot.contender]) if took[slot.contender] else mean
            for slot in self.slots
            if self.missing(slot)
        )


async def run_bench(
    bench: Planned,
    directory: Directory,
    place: Place,
    *,
    steps: Steps,
    told: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Run what is missing; cancelled, it leaves what there is.

    `told` is called at the beginning, and before and after each repetition.
    """
    progress = Progress.of(bench, directory)
    told(progress)
    failures: dict[tuple[str, str], int] = defaultdict(int)
    for slot in progress.slots:
        key = (slot.scenario, slot.contender)
        reason = _reason(progress, slot, failures)
        if reason and slot not in progress.attempts:
            progress.skipped[slot] = reason
        while progress.missing(slot):
            progress.now = slot
            told(progress)
            attempt = len(progress.attempts.get(slot, ())) + 1
            with steps.step("repetition", str(slot) + (f", attempt {attempt}" if attempt > 1 else "")) as step:
                one = await repeat(bench, slot, attempt, directory.of(bench, slot, attempt), place, steps=step.nested())
                step.message = one.message or "; ".join(one.marks)
            progress.attempts.setdefault(slot, []).append(one)
            progress.now = None
            told(progress)
        ended = progress.attempts.get(slot, ())
        if ended:
            failures[key] = 0 if ended[-1].status is Status.OK else failures[key] + 1
    return progress


def _reason(progress: Progress, slot: Slot, failures: Mapping[tuple[str, str], int]) -> str:
    """Why a repetition is not worth its time, empty if it is."""
    for attempts in progress.attempts.values():
        first = attempts[-1]
        if first.slot.contender == slot.contender and first.status is Status.BROKEN and not first.started:
            return f"its cluster does not come up: {first.message}"
    if failures[slot.scenario, slot.contender] >= _FAILURES:
        return f"the last {_FAILURES} repetitions failed"
    return ""
