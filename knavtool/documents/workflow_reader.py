"""Reads workflow files: variables get their values, loops are unrolled, and each task is checked against the schema."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from knavtool.documents.complaints import nearest
from knavtool.documents.duration import is_duration, parse_duration
from knavtool.documents.leniency import apply_compat
from knavtool.documents.normal import normal
from knavtool.documents.schema import THRESHOLD
from knavtool.documents.values import parse_entries
from knavtool.documents.variables import Substitution
from knavtool.documents.workflow import Entry, ForEachDocument, TaskDocument, ThresholdDocument, WorkflowDocument
from knavtool.documents.yaml import load
from knavtool.errors import InvalidDocument, UsageError, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location
    from knavtool.documents.task_types import TaskTypes
    from knavtool.documents.yaml import Document

_MOST_ROUNDS = 10_000
"""Of all loops of a file; each round is read and checked by itself."""


def load_workflows(
    paths: Sequence[Path], types: TaskTypes, *, settings: Mapping[str, Any] | None = None, lenient: bool = False
) -> list[WorkflowDocument]:
    """Read several files, whose tasks are of these types; `settings` are values of variables.

    Violations inside the files are kept for the plan to tell. With `lenient`, what Knavigator takes without a word is a
    warning. Raises InvalidDocument if a file cannot be read as a list of tasks, with all that is wrong in any of them,
    and UsageError for a setting that no file knows.
    """
    return read_workflows([(path, partial(load, path)) for path in paths], types, settings=settings, lenient=lenient)


def read_workflows(
    sources: Iterable[tuple[Path, Callable[[], Document]]],
    types: TaskTypes,
    *,
    settings: Mapping[str, Any] | None = None,
    lenient: bool = False,
) -> list[WorkflowDocument]:
    """Like `load_workflows`, of documents wherever they come from; each has a path beside which templates lie."""
    workflows: list[WorkflowDocument] = []
    unreadable: list[Violation] = []
    for path, read in sources:
        try:
            workflows.append(parse_workflow(read(), path, types, settings=settings, lenient=lenient))
        except InvalidDocument as error:
            unreadable += error.violations
    if unreadable:
        raise InvalidDocument([*unreadable, *(fault for workflow in workflows for fault in workflow.faults)])
    known = {name for workflow in workflows for name in workflow.variables}
    for name in settings or {}:
        if name not in known:
            listed = f"; there are: {', '.join(sorted(known))}" if known else "; the workflow has no variables"
            raise UsageError(f"--set {name}: no such variable{nearest(name, known) or listed}")
    return workflows


def parse_workflow(
    document: Document,
    path: Path,
    types: TaskTypes,
    *,
    settings: Mapping[str, Any] | None = None,
    lenient: bool = False,
) -> WorkflowDocument:
    """Check a document; templates that it names are looked for beside `path`. Raises InvalidDocument."""
    document = types.schema.normalized(document)
    reader = _Reader(document, types, lenient=lenient)
    reader.take(document.data, "", ())
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("tasks"), list):
        raise InvalidDocument(reader.faults)
    given = data.get("variables")
    declared: dict[str, Any] = given if isinstance(given, dict) else {}
    values = {**declared, **{name: value for name, value in (settings or {}).items() if name in declared}}
    for name, value in values.items():
        if value is None:
            message = f"the variable has no value; give it one here or with --set {name}=VALUE"
            reader.faults.append(document.violation(("variables", name), message))
    tasks = tuple(reader.tasks(data["tasks"], ("tasks",), values))
    thresholds = tuple(reader.thresholds(data.get("thresholds"), ("thresholds",), values))
    return WorkflowDocument(
        name=_text(data.get("name")) or path.stem,
        description=_text(data.get("description")),
        tasks=tasks,
        file=path,
        variables=values,
        thresholds=thresholds,
        faults=tuple(reader.faults),
        warnings=tuple(reader.warnings),
    )


class _Reader:
    """Reads the tasks of one document and collects what is wrong."""

    def __init__(self, document: Document, types: TaskTypes, *, lenient: bool) -> None:
        self._document = document
        self._types = types
        self._lenient = lenient
        self._rounds = 0
        self.faults: list[Violation] = []
        self.warnings: list[Violation] = []

    def take(self, data: Any, part: str, at: Location) -> bool:
        """Check data against the schema; whether it fits, but for fields that nothing reads."""
        found = self._types.schema.find(self._document, data, part=part, at=at)
        self.faults += found.wrong
        target = self.warnings if self._lenient else self.faults
        target += found.unknown
        return found.fits

    def tasks(self, given: Any, at: Location, values: Mapping[str, Any]) -> Iterator[Entry]:
        """Tasks of a list; what is no task has been told by the schema."""
        for index, item in enumerate(given if isinstance(given, list) else ()):
            place = (*at, index)
            if not isinstance(item, dict):
                self.take(item, "task", place)
            elif item.get("foreach") is not None:
                yield self._for_each(item, place, values)
            else:
                yield self._task(item, place, values)

    def thresholds(self, given: Any, at: Location, values: Mapping[str, Any]) -> Iterator[ThresholdDocument]:
        """Thresholds of a list; each has the parameters of a CheckMeasure."""
        root = self._types.schema.root
        for index, item in enumerate(given if isinstance(given, list) else ()):
            place = (*at, index)
            substitution = Substitution(values)
            data = normal(substitution.put(item, place), root["$defs"][THRESHOLD], root, at=place)
            self._told(substitution)
            if substitution.whole and self.take(data, THRESHOLD, place):
                yield ThresholdDocument(document=self._document, place=place, params=data)

    def _for_each(self, item: dict[str, Any], place: Location, values: Mapping[str, Any]) -> Entry:
        once = {key: value for key, value in item.items() if key != "foreach"}
        substitution = Substitution(values)
        loop = substitution.put(item["foreach"], (*place, "foreach"))
        self._told(substitution)
        if not (substitution.whole and self.take(loop, "task/properties/foreach", (*place, "foreach"))):
            return self._invalid(once, place)
        (name, items), *_ = loop.items()
        self._rounds += len(items)
        if self._rounds > _MOST_ROUNDS:
            if self._rounds - len(items) <= _MOST_ROUNDS:
                message = f"loops in loops make more than {_MOST_ROUNDS} rounds"
                self.faults.append(self._document.violation((*place, "foreach"), message))
            return self._invalid(once, place)
        # A fault of the task is the same in every round.
        before = len(self.faults)
        rounds = []
        for value in items:
            rounds.append((f"{name}={_short(value)}", self._task(once, place, {**values, name: value})))
            if len(self.faults) > before:
                break
        first = rounds[0][1]
        return ForEachDocument(
            id=_text(item.get("id")) or first.id,
            type=first.type,
            document=self._document,
            place=place,
            rounds=tuple(rounds),
        )

    def _task(self, item: dict[str, Any], place: Location, values: Mapping[str, Any]) -> TaskDocument:
        root = self._types.schema.root
        inner = self._inner(item)
        own = item if inner is None else {**item, "params": {**item["params"], "tasks": []}}
        substitution = Substitution(values)
        tolerated: list[Complaint] | None = [] if self._lenient else None
        data = normal(substitution.put(own, place), root["$defs"]["task"], root, at=place, tolerated=tolerated)
        if tolerated is not None:
            tolerated += apply_compat(data, place, self._types)
            self.warnings += [self._document.violation(where, message) for where, message in tolerated]
        self._told(substitution)
        if inner is not None:
            data["params"]["tasks"] = inner
        fits = substitution.whole and self.take(data, "task", place)
        beyond = list(self._beyond_the_schema(data, place)) if substitution.whole else []
        self.faults += beyond
        if not fits:
            return self._invalid(item, place)
        tasks = tuple(self.tasks(inner, (*place, "params", "tasks"), values)) if inner is not None else ()
        return TaskDocument(
            id=data["id"],
            type=data["type"],
            document=self._document,
            place=place,
            description=data.get("description", ""),
            params=data.get("params", {}),
            timeout=(parse_duration(data["timeout"]) or None) if _fits(data.get("timeout")) else None,
            continue_on_error=data.get("continueOnError", False),
            tasks=tasks,
            valid=not beyond,
        )

    def _inner(self, item: dict[str, Any]) -> list[Any] | None:
        """The tasks of a block; their references to variables are left to themselves."""
        params = item.get("params")
        type_ = item.get("type")
        if self._types.hold_tasks(type_) and isinstance(params, dict) and isinstance(params.get("tasks"), list):
            tasks: list[Any] = params["tasks"]
            return tasks
        return None

    def _invalid(self, item: Mapping[str, Any], place: Location) -> TaskDocument:
        return TaskDocument(
            id=_text(item.get("id")), type=_text(item.get("type")), document=self._document, place=place, valid=False
        )

    def _told(self, substitution: Substitution) -> None:
        self.faults += [self._document.violation(place, message) for place, message in substitution.wrong]

    def _beyond_the_schema(self, task: Mapping[str, Any], place: Location) -> Iterator[Violation]:
        """What the schema cannot see: times, and the rules for nodes."""
        params = task.get("params")
        params = params if isinstance(params, dict) else {}
        yield from self._time(task.get("timeout"), (*place, "timeout"), required=False)
        required = self._types.need_time(task.get("type"))
        yield from self._time(params.get("timeout"), (*place, "params", "timeout"), required=required)
        for name in self._types.node_parameters(task.get("type")):
            if isinstance(params.get(name), list):
                at = (*place, "params", name)
                yield from parse_entries(self._document, at, params[name], rejected=self.faults)[1]

    def _time(self, given: Any, place: Location, *, required: bool) -> Iterator[Violation]:
        if not isinstance(given, str) or not is_duration(given):
            return
        try:
            seconds = parse_duration(given)
        except UsageError as error:
            yield self._document.violation(place, error.message)
            return
        if seconds < 0:
            yield self._document.violation(place, "must not be negative")
        elif seconds == 0 and required:
            yield self._document.violation(place, "must be longer than zero")


def _fits(duration: Any) -> bool:
    try:
        return isinstance(duration, str) and parse_duration(duration) >= 0
    except UsageError:
        return False


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={_short(inner)}" for key, inner in value.items())[:40]
    return str(value)[:40]
