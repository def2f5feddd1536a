"""A bench before it runs: its scenarios, the plan of each contender, and the order of repetitions."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from knavtool.documents.complaints import nearest
from knavtool.errors import InvalidDocument, UsageError
from knavtool.harness.runs import planned, variables_of
from knavtool.measure.threshold import make, parse
from knavtool.workflow.plan import tasks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.documents.bench_file import BenchFile, Contender, Rule
    from knavtool.measure.threshold import Threshold
    from knavtool.workflow.plan import Plan

MEASURES = ("makespan", "pods.rate.mean", "pod.wait.p95", "gang.wait.p95", "gang.partial.time", "gpu.occupancy.mean")
"""What is compared if nothing else is asked for."""
SEED = "seed"
"""The variable that makes repetitions differ, and those of one number alike for all contenders."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One combination of the matrix; its name is empty if there is only one."""

    name: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One repetition of one contender, counted from 1; 0 is the warm-up."""

    scenario: str
    contender: str
    number: int

    def __str__(self) -> str:
        which = "warm-up" if self.number == 0 else f"repetition {self.number}"
        return ", ".join(filter(None, (self.contender, self.scenario, which)))


@dataclass(frozen=True)
class Planned:
    """A bench whose files have passed all checks."""

    file: BenchFile

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Every combination of the matrix, the last variable changing fastest."""
        names = list(self.file.matrix)
        combinations = itertools.product(*self.file.matrix.values())
        return tuple(
            Scenario(
                ", ".join(f"{name}={_short(value)}" for name, value in zip(names, values, strict=True)),
                dict(zip(names, values, strict=True)),
            )
            for values in combinations
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """What is compared: those that were asked for, and those that decide."""
        return tuple(dict.fromkeys([*(self.file.measures or MEASURES), *(one.measure for one in self.file.verdict)]))

    def workflows(self, contender: Contender) -> list[Path]:
        """What runs on the cluster of a contender, in its order."""
        return [*self.file.nodes, *contender.setup, *self.file.workload]

    def plan(self, slot: Slot) -> Plan:
        """The plan of one repetition; InvalidDocument or UsageError for what is wrong in the workflows."""
        contender = self.file.contender(slot.contender)
        (scenario,) = (one for one in self.scenarios if one.name == slot.scenario)
        files = self.workflows(contender)
        known = variables_of(files)
        given = {**self.file.variables, **scenario.variables, **contender.variables}
        given = {name: value for name, value in given.items() if name in known}
        if SEED in known and SEED not in given:
            given[SEED] = self.file.seed + max(slot.number - 1, 0)
        return planned(files, given)

    def schedule(self) -> Iterator[Slot]:
        """All repetitions in their order: contenders take turns, and each round another one begins.

        So what changes with time, as the temperature of a machine, does not meet the same contender each time.
        """
        names = [one.name for one in self.file.contenders]
        scenarios = self.scenarios
        if self.file.warm_up:
            yield from (Slot(scenarios[0].name, name, 0) for name in names)
        for number in range(1, self.file.repetitions + 1):
            for index, scenario in enumerate(scenarios):
                first = (number - 1 + index) % len(names)
                yield from (Slot(scenario.name, name, number) for name in names[first:] + names[:first])


def check(file: BenchFile) -> Planned:
    """Plan every contender in every scenario; raises InvalidDocument or UsageError with what is wrong."""
    bench = Planned(file)
    wrong = set()
    for rule in file.verdict:
        try:
            threshold(rule)
        except UsageError as error:
            wrong.add(rule.violation(error.message))
    known = [set(variables_of(bench.workflows(one))) for one in file.contenders]
    for name in (*file.variables, *file.matrix):
        if not any(name in one for one in known):
            raise UsageError(f"{file.file}: no workflow has a variable {name!r}{nearest(name, set().union(*known))}")
    for contender, names in zip(file.contenders, known, strict=True):
        for name in contender.variables:
            if name not in names:
                message = f"{file.file}: no workflow of {contender.name} has a variable {name!r}"
                raise UsageError(message + nearest(name, names))
        for scenario in bench.scenarios:
            try:
                bench.plan(Slot(scenario.name, contender.name, 1))
            except InvalidDocument as error:
                wrong |= set(error.violations)
    if wrong:
        raise InvalidDocument(sorted(wrong))
    return bench


def threshold(rule: Rule) -> Threshold | None:
    """What a measure must be in every repetition; None for a rule about the baseline. Raises UsageError."""
    if rule.value is None:
        return None
    if isinstance(rule.value, str) and rule.value.lstrip().startswith(("<", ">", "=", "!")):
        return parse(f"{rule.measure}{rule.value}")
    return make(rule.measure, "==", rule.value)


def digest(bench: Planned) -> str:
    """A sum over all that the same work is made of: workflows, templates, values, variables; not the contenders.

    It plans the workflows of every contender in every scenario.
    """
    file = bench.file
    found = hashlib.sha256()
    for path in [*([file.values] if file.values is not None else []), *file.nodes, *file.workload]:
        found.update(path.read_bytes())
    for content in sorted(path.read_bytes() for path in _templates(bench)):
        found.update(content)
    found.update(json.dumps([file.variables, file.matrix, file.seed], sort_keys=True, default=str).encode())
    return found.hexdigest()


def _templates(bench: Planned) -> set[Path]:
    """The files that tasks of the nodes and the workload read; variables may name them."""
    shared = {*bench.file.nodes, *bench.file.workload}
    return {
        path
        for scenario in bench.scenarios
        for contender in bench.file.contenders
        for workflow in bench.plan(Slot(scenario.name, contender.name, 1)).workflows
        if workflow.file in shared
        for one in tasks_of(workflow.steps)
        for path in one.task.files(one.scope)
    }


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
