"""Runs a bench: one repetition after the other, again those that cannot be trusted, and none that is there already."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.bench.repeating import repeat
from knavtool.bench.repetition import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from knavtool.bench.directory import Directory
    from knavtool.bench.planning import Planned, Slot
    from knavtool.bench.repeating import Place
    from knavtool.bench.repetition import Repetition
    from knavtool.events import Steps

_FAILURES = 2
"""So many repetitions in a row end what a contender has to do in a scenario."""


@dataclass(slots=True)
class Progress:
    """What there is of a bench: the attempts at each repetition; `now` is the one that goes on."""

    bench: Planned
    slots: list[Slot]
    attempts: dict[Slot, list[Repetition]] = field(default_factory=dict)
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
            return not self.skipped(slot)
        if slot.number == 0 or len(attempts) > self.bench.file.retries:
            return False
        last = attempts[-1]
        return last.status is Status.OK and bool(last.marks)

    def skipped(self, slot: Slot) -> bool:
        """Whether a repetition that did not run is not worth its time, after what became of those before."""
        if slot in self.attempts:
            return False
        own = [(one, attempts[-1]) for one, attempts in self.attempts.items() if one.contender == slot.contender]
        if own and not any(last.started for _, last in own):
            return True  # its cluster does not come up
        last = [last for one, last in own if one.scenario == slot.scenario and one.number < slot.number][-_FAILURES:]
        return len(last) == _FAILURES and all(one.status is not Status.OK for one in last)

    @property
    def done(self) -> int:
        """How many repetitions need nothing any more."""
        return sum(not self.missing(slot) for slot in self.slots)

    def remaining(self) -> float | None:
        """Seconds until the end, from what each contender took so far, or from what the file says one takes.

        None if neither is known.
        """
        took: dict[str, list[float]] = defaultdict(list)
        for slot, attempts in self.attempts.items():
            took[slot.contender] += [one.whole for one in attempts]
        every = [seconds for each in took.values() for seconds in each]
        usual = sum(every) / len(every) if every else self.bench.file.takes
        if usual is None:
            return None
        means = {name: sum(each) / len(each) for name, each in took.items()}
        return sum(means.get(slot.contender, usual) for slot in self.slots if self.missing(slot))


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
    for slot in progress.slots:
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
    return progress
