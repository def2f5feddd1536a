"""A workflow from its text to the end of its run, and what must hold whatever the text is."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from fuzz.world import World, run
from knavtool.documents.workflow_reader import parse_workflow
from knavtool.documents.yaml import dump, load_text
from knavtool.errors import InvalidDocument, KnavError, RenderError
from knavtool.events import Steps, StepStarted
from knavtool.kube.prometheus import Sample
from knavtool.render.objects import parse
from knavtool.render.template import Rendered
from knavtool.report.recorder import Recorder
from knavtool.workflow import execution, plan, rendering, runner
from knavtool.workflow.references import formats
from knavtool.workflow.registry import built_in
from knavtool.workflow.tasks import submit_obj
from knavtool.workflow.undoing.ledger import Ledger
from support.nodes import prototype

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from fuzz.world import Trouble
    from knavtool.errors import Violation
    from knavtool.events import Event
    from knavtool.render.formats import Formats
    from knavtool.render.source import ObjectTemplate
    from knavtool.report.recorder import Record
    from knavtool.workflow.plan import Plan

_PYTHON = re.compile(r"\b(?:None|True|False|NoneType|Traceback|KeyError)\b|\{'\w|\['\w|<class|object at 0x")
"""What a message must not have, unless the user wrote it."""
_STATUSES = "True, False, Unknown"
"""How Kubernetes writes the status of a condition."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What would play tricks on a terminal, or cannot be written to it."""
_LINE_END = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_LONGEST_MESSAGE = 20_000


def through(
    text: str,
    file: Path,
    trouble: Trouble | None = None,
    *,
    refused: frozenset[int] = frozenset(),
    lenient: bool = False,
) -> Record | None:
    """Plan a workflow and, if it has no fault, run it; the record of the run, if there was one."""
    planned = planned_from(text, file, lenient=lenient)
    return run(carried_out(planned, text, World(trouble, refused))) if planned is not None else None


def planned_from(text: str, file: Path, *, lenient: bool = False) -> Plan | None:
    """The plan; None if the text was refused, which it must be with good messages."""
    try:
        workflow = parse_workflow(load_text(text, str(file)), file, built_in().documents, lenient=lenient)
        return plan.build([workflow], search=[file.parent], lenient=lenient)
    except InvalidDocument as error:
        well_told(error.violations, text)
        return None


def well_told(violations: Iterable[Violation], text: str) -> None:
    """Every violation has a place in the text and plain words."""
    violations = list(violations)
    assert violations
    lines = len(_LINE_END.split(text))
    for violation in violations:
        assert 1 <= violation.line <= lines + 1, violation
        assert violation.column >= 1, violation
        plain(str(violation), text)


def plain(message: str, text: str) -> None:
    """Words for people, that any terminal can show."""
    assert message.strip(), "says nothing"
    found = _PYTHON.search(message.replace(_STATUSES, ""))
    assert not found or found[0] in text, message
    assert not _UNPRINTABLE.search(message), repr(message)
    assert len(message) < _LONGEST_MESSAGE, message[:1000]


async def carried_out(planned: Plan, text: str, world: World) -> Record:
    """Run a plan: if refused, nothing is sent; what is made is written down before, and nothing of it stays."""
    trouble = world.mishap
    recorder = Recorder(clock=asyncio.get_running_loop().time)
    await world.furnish()
    before = world.content()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submit_obj, "render_objects", _render_objects)
        patch.setattr(runner, "Ledger", lambda **given: _known_ledger(world, **given))
        world.running = asyncio.ensure_future(_carry_out(planned, world, recorder))
        try:
            await world.running
        except (InvalidDocument, RenderError) as error:
            plain(error.message, text)
            assert not world.calls or world.ledger is not None, "refused, but something was sent"
        except KnavError as error:
            plain(error.message, text)
            assert world.ledger is not None or not world.writes(), "refused, but something was sent"
        except asyncio.CancelledError:
            assert trouble is not None
            assert trouble.kind.startswith("interrupt")
    assert not world.unknown, f"created without the ledger: {world.unknown}"
    after = world.content()
    assert after == before, {
        key: (before.get(key), after.get(key)) for key in {*before, *after} if before.get(key) != after.get(key)
    }
    assert world.ledger is None or not world.ledger.summary()
    for record in recorder.record.walk():
        if record.message:
            plain(record.message, text)
    return recorder.record


def _known_ledger(world: World, **given: Any) -> Ledger:
    world.ledger = Ledger(**given)
    return world.ledger


async def _carry_out(planned: Plan, world: World, recorder: Recorder) -> bool:
    helm: Any = _Helm()

    def listen(event: Event) -> None:
        recorder(event)
        if isinstance(event, StepStarted) and event.kind == "cleanup":
            # What goes wrong in the cleanup itself is left behind, and said so.
            world.calm()

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        yield world

    @asynccontextmanager
    async def prometheus(_: Any) -> AsyncIterator[Any]:
        yield _Prometheus()

    "".join((await rendering.render(planned, helm)).text())
    return await execution.carry_out(
        planned,
        helm=helm,
        connect=connect,
        prometheus=prometheus,
        warn_about_exits=lambda _server, _steps: nullcontext(),
        steps=Steps(listen, clock=asyncio.get_running_loop().time),
        cleanup=True,
        cleanup_timeout=300,
    )


class _Prometheus:
    """Knows one number."""

    place = "here"

    async def query(self, *_: Any, **__: Any) -> list[Sample]:
        return [Sample(labels={}, value=1.0)]


class _Helm:
    """Stands in for Helm where nodes are rendered."""

    async def template(self, *_: Any, values: Mapping[str, Any], **__: Any) -> str:
        nodes = []
        for entry in values["nodes"]:
            node = prototype(labels=entry.get("labels"), taints=entry.get("taints", ()))
            node["metadata"]["name"] = f"{entry['namePrefix']}-0"
            nodes.append(node)
        return dump(nodes)


async def _render_objects(
    _: Any,
    template: ObjectTemplate,
    given: Formats,
    *,
    params: Mapping[str, Any],
    count: int,
    first_enum: int,
    lenient: bool,
) -> Rendered:
    """What Helm's engine makes of templates that only print scalars; never more than fifty instances."""

    def text(source: str, values: Mapping[str, Any]) -> str:
        rendered = formats.simply_rendered(source, values)
        if rendered is None:
            raise RenderError(f"{template.file}: prints a parameter that is not given")
        return rendered

    names, patterns, objects, documents = [], [], [], []
    for number in range(first_enum, first_enum + min(count, 50)):
        values = {**params, "_ENUM_": number}
        if given.name is not None:
            values["_NAME_"] = text(given.name, values).strip()
            names.append(values["_NAME_"])
        if given.pod_name is not None:
            patterns.append(text(given.pod_name, values).strip())
        texts = [text(block, values) for block in template.blocks]
        parts = [
            (index, item) for index, each in enumerate(texts) for item in parse(each, template, index, lenient=lenient)
        ]
        objects.append(tuple(item for _, item in parts))
        documents.append(tuple(index for index, _ in parts))
    pods = text(given.pod_count, params).strip() if given.pod_count is not None else ""
    return Rendered(
        names=tuple(names),
        objects=tuple(objects),
        documents=tuple(documents),
        pod_patterns=tuple(patterns),
        pod_count=pods,
    )
