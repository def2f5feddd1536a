"""A small run in which one thing fails, whatever it is: a view at any event, knavtool itself at any request."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from knavtool.cli.options import Globals, LogFormat
from knavtool.cli.progress import steps as progress
from knavtool.errors import ClusterError, ExitCode, Forbidden, Unreachable, exit_code
from knavtool.events import Event, Listeners, Result, Steps
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, PRIORITY_CLASSES, Manifest, Resource
from knavtool.report.recorder import Record, Recorder
from knavtool.workflow.rendered import RenderedPlan
from knavtool.workflow.runner import execute
from support.memory import Memory
from support.workflows import jobs, planned, register, rendered, submit, task

CONFIGURE = task(
    "Configure",
    namespaces=[{"name": "own", "op": "create"}],
    configmaps=[
        {"name": "new", "namespace": "own", "op": "create", "data": {"a": "1"}},
        {"name": "theirs", "namespace": "default", "op": "create", "data": {"a": "2"}},
    ],
    priorityClasses=[{"name": "theirs", "op": "create", "value": 2}],
    timeout="1m",
)
UPDATE = task("UpdateObj", "update", refTaskId="job", state={"spec": {"suspend": False}})
CHECK = task("CheckObj", "check", refTaskId="job", state={"spec": {"suspend": False}}, timeout="1m")
DELETE = task("DeleteObj", "delete", refTaskId="job", wait=True)
FAILING = task("CheckObj", "fails", refTaskId="job", state={"spec": {"suspend": True}})


class World(Memory):
    """A cluster with things of others; the request number `fault` ends in a fault of knavtool itself.

    Either before it is sent, or with `late` when the server has done it.
    """

    def __init__(self, fault: int = 0, *, late: bool = False) -> None:
        super().__init__()
        self.count = 0
        self.fault = 0
        self.late = late
        self._due = False
        self._begin = fault

    async def fill(self) -> None:
        """Make what was there before the run."""
        await self.create(NAMESPACES, {"metadata": {"name": "default"}})
        theirs: Manifest = {"metadata": {"name": "theirs"}, "data": {"a": "1", "b": "1"}}
        await self.create(CONFIG_MAPS, theirs, namespace="default")
        await self.create(PRIORITY_CLASSES, {"metadata": {"name": "theirs"}, "value": 1})
        self._made = dict.fromkeys(self._made, 0.0)  # by an earlier run, long ago
        self.count, self.fault = 0, self._begin

    def _call(self, verb: str, resource: Resource, name: str) -> None:
        super()._call(verb, resource, name)
        if self.late and verb not in ("create", "patch", "delete"):
            return
        self.count += 1
        if self.count == self.fault:
            if not self.late:
                raise KeyError("a fault of knavtool")
            self._due = True

    async def _done(self, doing: Any) -> Any:
        answer = await doing
        if self._due:
            self._due = False
            raise KeyError("a fault of knavtool")
        return answer

    async def create(self, *given: Any, **options: Any) -> Manifest:
        made: Manifest = await self._done(super().create(*given, **options))
        return made

    async def patch(self, *given: Any, **options: Any) -> Manifest:
        patched: Manifest = await self._done(super().patch(*given, **options))
        return patched

    async def delete(self, *given: Any, **options: Any) -> bool:
        return bool(await self._done(super().delete(*given, **options)))

    def there(self) -> dict[str, Any]:
        """What there is, without what a server writes into it."""
        return {
            f"{kind.kind} {'/'.join(filter(None, key))}": item.get("data") or item.get("value")
            for kind, found in self._objects.items()
            for key, item in found.items()
        }


BEFORE = {"Namespace default": None, "ConfigMap default/theirs": {"a": "1", "b": "1"}, "PriorityClass theirs": 1}


def plan(directory: Path, *tasks: dict[str, Any]) -> RenderedPlan:
    made = planned(directory, register(), *tasks)
    return rendered(made, job=jobs("a", "b", pods=1), again=jobs("a", pods=1))


async def run(given: RenderedPlan, world: World, steps: Steps) -> bool:
    await world.fill()
    return await execute(given, world, steps=steps, cleanup=True, cleanup_timeout=60)


def shape(record: Record) -> Any:
    """What a report tells, without times."""
    return record.kind, record.name, record.result, record.message, [shape(child) for child in record.children]


class Raising:
    """A view that shows so many events and fails at the next."""

    def __init__(self, shown: int) -> None:
        self.left = shown

    def __call__(self, event: Event) -> None:
        assert event
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("a fault of a view")


@pytest.mark.parametrize(
    ("tasks", "passes"), [((CONFIGURE, submit(count=2), UPDATE, CHECK), True), ((CONFIGURE, submit(), FAILING), False)]
)
async def test_a_view_that_fails_at_any_event_changes_nothing(
    tmp_path: Path, tasks: tuple[dict[str, Any], ...], passes: bool
) -> None:
    given = plan(tmp_path, *tasks)
    events: list[Event] = []
    undisturbed = Recorder()
    assert await run(given, World(), Steps(Listeners(undisturbed, events.append))) is passes
    assert len(events) > 20
    for number in range(len(events)):
        world, recorder, view = World(), Recorder(), Raising(number)
        assert await run(given, world, Steps(Listeners(view, recorder))) is passes
        assert world.there() == BEFORE
        assert shape(recorder.record) == shape(undisturbed.record)
        assert view.left == -1, "it was told more after it had failed"


class Full(io.StringIO):
    """A stream that takes so many writes; then the disk is full, or whoever read it has gone."""

    encoding = "utf-8"

    def __init__(self, writes: int, error: OSError, *, terminal: bool) -> None:
        super().__init__()
        self.left = writes
        self.written = 0
        self._error = error
        self._terminal = terminal

    def write(self, text: str) -> int:
        self.left -= 1
        self.written += 1
        if self.left < 0:
            raise self._error
        return super().write(text)

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "log_format"), [(False, LogFormat.TEXT), (False, LogFormat.JSON), (True, LogFormat.TEXT)]
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BrokenPipeError(32, "Broken pipe")])
async def test_stderr_that_fails_at_any_write_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool, log_format: LogFormat, error: OSError
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    given = plan(tmp_path, CONFIGURE, submit(count=2), UPDATE, CHECK)
    settings = Globals(log_format=log_format)

    async def shown_on(stream: Full) -> tuple[World, Recorder]:
        world, recorder = World(), Recorder()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            with progress(settings, listen=[recorder]) as steps:
                assert await run(given, world, steps)
            assert sys.stderr is stream
        return world, recorder

    whole = Full(10_000, error, terminal=terminal)
    _, undisturbed = await shown_on(whole)
    assert whole.written > 5
    for number in range(whole.written):
        world, recorder = await shown_on(Full(number, error, terminal=terminal))
        assert world.there() == BEFORE
        assert shape(recorder.record) == shape(undisturbed.record)


Tasks = tuple[dict[str, Any], ...]


def faults(directory: Path, tasks: Tasks, *, late: bool) -> Iterator[Callable[[], tuple[World, BaseException]]]:
    """Runs of the tasks with a fault at each request that one without a fault sends."""
    given = plan(directory, *tasks)
    whole = World(late=late)
    asyncio.run(run(given, whole, Steps(Recorder())))
    assert whole.there() == BEFORE

    def fail(number: int) -> tuple[World, BaseException]:
        world = World(number, late=late)
        try:
            asyncio.run(run(given, world, Steps(recorder := Recorder())))
        except Exception as error:  # noqa: BLE001 - it is looked at
            return world, error
        raise AssertionError(f"the fault at request {number} was not told: {shape(recorder.record)}")

    for number in range(1, whole.count + 1):
        yield lambda number=number: fail(number)  # type: ignore[misc]


@pytest.mark.parametrize("late", [False, True])
def test_a_fault_of_knavtool_at_any_request_is_cleaned_up_and_told_as_one(tmp_path: Path, late: bool) -> None:
    tasks = (CONFIGURE, submit(count=2), UPDATE, CHECK, DELETE, submit("again"))
    seen = 0
    for fail in faults(tmp_path, tasks, late=late):
        world, error = fail()
        seen += 1
        assert exit_code(error) is ExitCode.INTERNAL, error
        left = {name: what for name, what in world.there().items() if BEFORE.get(name, "") != what}
        missing = BEFORE.keys() - world.there().keys()
        # What a deletion of the cleanup was about that met the fault itself may be left, and is named.
        assert len(left) + len(missing) <= 1, (world.fault, world.calls[world.fault + 2 : world.fault + 4], left)
        for name in (*left, *missing):
            told = " ".join(str(one) for one in getattr(error, "exceptions", [error]))
            assert name in told, told
    assert seen > 15


async def test_an_object_whose_creation_was_refused_after_a_lost_answer_is_looked_for(tmp_path: Path) -> None:
    class Quota(World):
        """Makes the object, loses the answer, and refuses the second attempt."""

        async def create(self, *given: Any, **options: Any) -> Manifest:
            made = await super().create(*given, **options)
            if given[0] != JOBS:
                return made
            refusal = Forbidden("exceeded quota", status=403)
            refusal.perhaps_done = True
            raise refusal

    world = Quota()
    with pytest.raises(Forbidden):
        await run(plan(tmp_path, submit(count=2)), world, Steps(Recorder()))
    assert world.there() == BEFORE


async def test_what_an_earlier_run_left_behind_is_not_removed(tmp_path: Path) -> None:
    """Though it has the name, and was written by this tool: nobody knows whether this run would have made it."""

    class Lost(World):
        async def create(self, resource: Resource, body: Any, **options: Any) -> Manifest:
            if self.fault == -1:
                raise Unreachable("create jobs: no answer")
            return await super().create(resource, body, **options)

    world = Lost()
    await world.fill()
    await world.create(JOBS, {"metadata": {"name": "a"}}, namespace="default")
    world._made = dict.fromkeys(world._made, 0.0)
    world.fault = -1
    with pytest.raises(Unreachable):
        await execute(plan(tmp_path, submit()), world, steps=Steps(Recorder()), cleanup=True, cleanup_timeout=60)
    assert world.there() == {**BEFORE, "Job default/a": None}


async def test_a_cleanup_goes_on_after_a_fault_of_its_own(tmp_path: Path) -> None:
    class Strange(World):
        async def delete(self, resource: Resource, name: str, **options: Any) -> bool:
            if name == "a":
                raise KeyError("metadata")
            return await super().delete(resource, name, **options)

    world, recorder = Strange(), Recorder()
    with pytest.raises(ExceptionGroup) as raised:
        await run(plan(tmp_path, CONFIGURE, submit(count=2)), world, Steps(recorder))
    assert exit_code(raised.value) is ExitCode.INTERNAL
    assert world.there().keys() - BEFORE.keys() == {"Job default/a"}
    (cleanup,) = recorder.record.find("cleanup")
    assert cleanup.result is Result.FAILED
    assert cleanup.message.splitlines() == [
        "cleanup is incomplete; left behind: 1 Job",
        "Job default/a: internal error: KeyError: 'metadata'",
    ]


async def test_what_refuses_many_objects_is_told_once(tmp_path: Path) -> None:
    class Refusing(World):
        async def delete(self, resource: Resource, name: str, **options: Any) -> bool:
            if resource == JOBS:
                text = f'delete jobs.batch default/{name}: failed calling webhook "jobs.example.com": refused'
                raise ClusterError(text, status=500, hint="is it there?", cause="webhook jobs.example.com")
            return await super().delete(resource, name, **options)

    made = planned(tmp_path, register(), CONFIGURE, submit(count=1000))
    given = rendered(made, job=jobs(*(f"j{number}" for number in range(1000))))
    world = Refusing()
    with pytest.raises(ClusterError) as raised:
        await run(given, world, Steps(Recorder()))
    assert raised.value.message.splitlines() == [
        "cleanup is incomplete; left behind: 1000 Jobs",
        'Job default/j0 and 999 more: delete jobs.batch default/j0: failed calling webhook "jobs.example.com": refused',
    ]
    assert raised.value.hint == "is it there?"
    assert len(world.there()) == len(BEFORE) + 1000
