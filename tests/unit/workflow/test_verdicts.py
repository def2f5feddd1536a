"""What tasks say of a SubmitObj whose objects are of several kinds, in several namespaces, or were refused in part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import Forbidden, KnavError
from knavtool.events import Steps
from knavtool.kube.gateway import Change
from knavtool.kube.resource import CONFIG_MAPS, JOBS, PODS, Manifest, Resource
from knavtool.report.recorder import Record, Recorder
from knavtool.workflow.rendered import RenderedPlan
from knavtool.workflow.runner import execute
from knavtool.workflow.task import NOTHING, Rendering
from knavtool.workflow.tasks.submit_obj import SubmitObj
from support.memory import Memory
from support.workflows import JOB, item, jobs, planned, pod, register, submit, task

QUOTA = "exceeded quota"


class _Cluster(Memory):
    """Refuses objects by name; every Job that it takes has running pods at once, and takes them along."""

    def __init__(self, *refused: str, pods: int = 1, node: str = "n1") -> None:
        super().__init__()
        self.refused = refused
        self.pods = pods
        self.node = node

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        for name in self.refused:
            if f'"name":"{name}"'.encode() in (body if isinstance(body, bytes) else b""):
                raise Forbidden(QUOTA, status=403)
        made = await super().create(resource, body, namespace=namespace)
        for number in range(self.pods if resource == JOBS else 0):
            self.put_pod(f"{made['metadata']['name']}-{number}", {"apiVersion": "batch/v1", "kind": "Job", **made})
        return made

    async def delete(self, resource: Resource, name: str, **more: Any) -> bool:
        for key, one in list(self._all(PODS).items()):
            owner = one["metadata"]["ownerReferences"][0]
            if (owner["kind"], owner["name"], key[0]) == (resource.kind, name, more["namespace"]):
                self._remove(PODS, key)
        return await super().delete(resource, name, **more)

    def put_pod(self, name: str, owner: Manifest) -> None:
        namespace = owner["metadata"]["namespace"]
        one = pod(name, owner, node=self.node)
        one["metadata"] |= {"namespace": namespace, "uid": f"{namespace}-{name}"}
        self._store(PODS, (namespace, name), one, Change.ADDED)


class _Run:
    """Every SubmitObj, each round of a loop for itself, sends the next of the renderings."""

    def __init__(
        self, directory: Path, cluster: Memory, sent: list[Rendering], *tasks: dict[str, Any], template: str = JOB
    ) -> None:
        self.cluster = cluster
        self.recorder = Recorder()
        plan = planned(directory, register(), *tasks, template=template)
        following = iter(sent)
        self.rendered = RenderedPlan(
            plan=plan,
            renderings={
                id(one.task): next(following) if isinstance(one.task, SubmitObj) else NOTHING for one in plan.tasks()
            },
        )

    async def execute(self) -> bool:
        return await execute(self.rendered, self.cluster, steps=Steps(self.recorder), cleanup=True, cleanup_timeout=60)

    def of(self, name: str) -> Record:
        """What is known of a task."""
        return next(record for record in self.recorder.record.walk() if record.name == name)


def tolerated(**params: Any) -> dict[str, Any]:
    return submit(**params) | {"continueOnError": True}


def loop(**more: Any) -> dict[str, Any]:
    return submit(params={"namespace": "${place}", "parallelism": 1}, **more) | {"foreach": {"place": ["a", "b"]}}


def check(type_: str, **params: Any) -> dict[str, Any]:
    return task(type_, "check", refTaskId="job", **params)


SOUND = {"CheckObj": {"state": {"x": None}}, "CheckPod": {"status": "Running"}, "CheckPlacement": {"nodes": ["n1"]}}
TIMES = [{}, {"timeout": "60s"}]


@pytest.mark.parametrize("timeout", TIMES)
@pytest.mark.parametrize("type_", SOUND)
async def test_a_loop_over_namespaces(tmp_path: Path, type_: str, timeout: dict[str, str]) -> None:
    sent = [jobs("x", pods=1, namespace=name) for name in "ab"]
    run = _Run(tmp_path, _Cluster(), sent, loop(), check(type_, **SOUND[type_], **timeout))
    assert await run.execute(), run.of("check").message
    assert ("watch", "Pod", "") in run.cluster.calls or type_ == "CheckObj"


@pytest.mark.parametrize("timeout", TIMES)
@pytest.mark.parametrize("type_", SOUND)
async def test_namespaces_and_kinds_in_one_template(tmp_path: Path, type_: str, timeout: dict[str, str]) -> None:
    blocks = (item("v1", "Namespace", "c"), item("batch/v1", "Job", "x", "a"), item("batch/v1", "Job", "x", "b"))
    sent = [Rendering(instances=(blocks,), pod_count=2)]
    run = _Run(tmp_path, _Cluster(), sent, submit(), check(type_, **SOUND[type_], **timeout))
    assert await run.execute(), run.of("check").message


@pytest.mark.parametrize("timeout", TIMES)
async def test_a_loop_over_kinds(tmp_path: Path, timeout: dict[str, str]) -> None:
    sent = [jobs("x"), Rendering(instances=((item("v1", "ConfigMap", "x", "default"),),))]
    run = _Run(tmp_path, _Cluster(), sent, loop(), check("CheckObj", state={"metadata": {"name": "x"}}, **timeout))
    assert await run.execute(), run.of("check").message
    assert run.of("check").message == "2 of 2 objects match"


async def test_a_loop_over_kinds_tells_objects_of_one_name_apart(tmp_path: Path) -> None:
    sent = [jobs("x"), Rendering(instances=((item("v1", "ConfigMap", "x", "default"),),))]
    run = _Run(tmp_path, _Cluster(), sent, loop(), check("CheckObj", state={"status": {}}))
    assert not await run.execute()
    assert run.of("check").message.splitlines() == [
        "1 of 2 objects match",
        "ConfigMap default/x:",
        "  status: expected {}, actual absent",
    ]


@pytest.mark.parametrize("timeout", TIMES)
async def test_a_refused_object_does_not_exist(tmp_path: Path, timeout: dict[str, str]) -> None:
    """Nobody waits for it: it will not come."""
    run = _Run(
        tmp_path,
        _Cluster("b"),
        [jobs("a", "b")],
        tolerated(count=2),
        check("CheckObj", state={"x": None}, **timeout),
    )
    assert not await run.execute()
    assert run.of("check").message.splitlines() == ["1 of 2 objects match", f"Job default/b: not created: {QUOTA}"]
    assert run.of("check").data["expected"] == 2
    assert run.of("check").data["refused"] == {"Job default/b": QUOTA}


@pytest.mark.parametrize("timeout", TIMES)
@pytest.mark.parametrize("type_", SOUND)
async def test_nothing_was_created(tmp_path: Path, type_: str, timeout: dict[str, str]) -> None:
    sent = [jobs("a", pods=2)]
    run = _Run(tmp_path, _Cluster("a"), sent, tolerated(), check(type_, **SOUND[type_], **timeout))
    assert not await run.execute()
    first, *rest = run.of("check").message.splitlines()
    assert (
        first
        == {
            "CheckObj": "0 of 1 objects match",
            "CheckPod": "0 of 2 pods are Running (no pods)",
            "CheckPlacement": "1 of 1 gangs are not placed whole",
        }[type_]
    )
    assert any("Job default/a" in line and QUOTA in line for line in rest), rest


async def test_what_comes_after_a_refused_object_was_not_tried(tmp_path: Path) -> None:
    pairs = tuple(
        (item("v1", "ConfigMap", f"c{n}"), replace(item("batch/v1", "Job", f"j{n}", "default"), document=1))
        for n in range(40)
    )
    run = _Run(
        tmp_path,
        _Cluster("c0"),
        [Rendering(instances=pairs)],
        tolerated(count=40),
        check("CheckObj", state={"x": None}, index=1),
        template=JOB + "---\n" + JOB,
    )
    assert not await run.execute()
    lines = run.of("check").message.splitlines()
    assert "Job default/j0: not created: ConfigMap default/c0 was refused" in lines
    refused = run.of("check").data["refused"]
    assert isinstance(refused, dict)
    assert run.of("check").data["expected"] == 40
    assert run.of("check").data["matching"] == 40 - len(refused)


@pytest.mark.parametrize("timeout", [{}, {"timeout": "10ms"}])
async def test_pods_of_refused_objects_are_missing(tmp_path: Path, timeout: dict[str, str]) -> None:
    run = _Run(
        tmp_path,
        _Cluster("b", pods=2),
        [jobs("a", "b", pods=2)],
        tolerated(count=2),
        check("CheckPod", status="Running", **timeout),
    )
    assert not await run.execute()
    first, *rest = run.of("check").message.splitlines()
    assert first.startswith("2 of 4 pods are Running")
    assert rest == ["  2 of 4 pods do not exist", f"  Job default/b: not created: {QUOTA}"]


async def test_pods_of_somebody_elses_object_are_not_those_of_a_refused_one(tmp_path: Path) -> None:
    cluster = _Cluster()
    await cluster.create(JOBS, {"metadata": {"name": "a"}}, namespace="default")
    run = _Run(tmp_path, cluster, [jobs("a", pods=1)], tolerated(), check("CheckPod", status="Running"))
    assert not await run.execute()
    assert run.of("check").message.splitlines()[0] == "0 of 1 pods are Running (no pods)"


@pytest.mark.parametrize("timeout", TIMES)
async def test_a_gang_that_was_refused_is_not_placed(tmp_path: Path, timeout: dict[str, str]) -> None:
    run = _Run(
        tmp_path,
        _Cluster("b", pods=2),
        [jobs("a", "b", pods=2)],
        tolerated(count=2),
        check("CheckPlacement", allOrNothing=True, **timeout),
    )
    assert not await run.execute()
    assert run.of("check").message.splitlines() == [
        "1 of 2 gangs are not placed whole",
        f"  Job default/b: 0 of 2 pods have a node; it was not created: {QUOTA}",
    ]


async def test_pods_of_a_refused_object_do_not_wait(tmp_path: Path) -> None:
    run = _Run(tmp_path, _Cluster("a"), [jobs("a", pods=2)], tolerated(), check("CheckPlacement", waiting="60s"))
    assert not await run.execute()
    assert run.of("check").message.splitlines() == [
        "there are no pods that could wait",
        f"  Job default/a: not created: {QUOTA}",
    ]


async def test_an_update_of_what_was_refused_fails_and_changes_the_rest(tmp_path: Path) -> None:
    update = check("UpdateObj", state={"spec": {"suspend": True}}) | {"continueOnError": True}
    seen = task("CheckObj", "seen", refTaskId="first", state={"spec": {"suspend": True}})
    run = _Run(
        tmp_path,
        _Cluster("b"),
        [jobs("a"), jobs("a", "b")],
        submit("first"),
        tolerated(count=2, canExist=True),
        update,
        seen,
    )
    assert not await run.execute()
    assert run.of("check").message == f"1 of 2 objects were not changed: Job default/b: not created: {QUOTA}"
    assert run.of("check").data["updated"] == 1
    assert str(run.of("seen").result) == "ok"


async def test_a_status_is_asked_for_of_every_kind_before_anything_is_changed(tmp_path: Path) -> None:
    sent = [jobs("x"), Rendering(instances=((item("v1", "ConfigMap", "x", "default"),),))]
    update = check("UpdateObj", state={"spec": {"suspend": True}, "status": {"active": 1}})
    run = _Run(tmp_path, _Cluster(), sent, loop(), update)
    with pytest.raises(KnavError, match="v1 ConfigMap has no status that can be written; nothing was changed"):
        await run.execute()
    assert ("patch", "Job", "x") not in run.cluster.calls


async def test_what_was_refused_need_not_be_deleted(tmp_path: Path) -> None:
    run = _Run(tmp_path, _Cluster("b"), [jobs("a", "b")], tolerated(count=2), check("DeleteObj", wait=True))
    assert not await run.execute()
    assert str(run.of("check").result) == "ok"
    assert run.of("check").message == "1 Job deleted, 1 never created"


async def test_the_cleanup_removes_what_was_made_of_all_kinds_in_all_namespaces(tmp_path: Path) -> None:
    sent = [
        Rendering(instances=((item("v1", "ConfigMap", "x", name), item("batch/v1", "Job", "x", name)),))
        for name in "ab"
    ]
    run = _Run(tmp_path, _Cluster(), sent, loop())
    assert await run.execute()
    assert await run.cluster.list(JOBS) == []
    assert await run.cluster.list(CONFIG_MAPS) == []
