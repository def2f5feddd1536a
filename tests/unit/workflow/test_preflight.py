"""What is found before a run starts, and with how few questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from knavtool.errors import AlreadyExists, ClusterError, ExitCode, Forbidden, InvalidDocument, NotFound, NotServed
from knavtool.harness.programs import advice
from knavtool.kube.resource import CONFIG_MAPS, JOBS
from knavtool.workflow.preflight.check import preflight
from knavtool.workflow.rendered import RenderedPlan
from knavtool.workflow.task import Item, Rendering
from knavtool.workflow.wording import not_done
from support.memory import Memory
from support.workflows import JOB, item, jobs, planned, register, rendered, submit, task

CHECK = task("CheckPod", "check", refTaskId="job", status="Running", nodeLabels={"a": "b"})


def workflow(directory: Path, *tasks: dict[str, Any], **renderings: Rendering) -> RenderedPlan:
    """A plan that begins with a RegisterObj; without renderings the task `job` submits one Job."""
    return rendered(planned(directory, register(), *tasks), **(renderings or {"job": jobs("job1")}))


async def said(gateway: Memory, given: RenderedPlan, **options: Any) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        await preflight(gateway, given, **options)
    assert caught.value.exit_code is ExitCode.API_FAILED
    assert caught.value.message.endswith("\nnothing was changed")
    assert not {verb for verb, _, _ in gateway.calls} - {"may", "get", "list"}
    return caught.value


def lines(error: ClusterError) -> list[str]:
    """What was found, without the places."""
    return [line.partition(": ")[2] for line in error.message.splitlines()[:-1]]


def account(*denied: str, admin: bool = False) -> Memory:
    """An account that may not do `verb resource` or `verb resource in namespace`."""
    gateway = Memory()

    def allows(verb: str, resource: str, namespace: str | None) -> bool:
        gateway.calls[-1] = ("may", f"{resource} {namespace}", verb)
        if verb == "*":
            return admin
        return not {f"{verb} {resource}", f"{verb} {resource} in {namespace}"} & set(denied)

    gateway.allows = allows
    return gateway


def questions(gateway: Memory) -> list[str]:
    return [f"{verb} {resource}" for call, resource, verb in gateway.calls if call == "may"]


async def test_every_kind_that_is_not_served_is_named(tmp_path: Path) -> None:
    crd = item(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "x", spec={"group": "own.io", "names": {"kind": "Own"}}
    )
    blocks = (item("a.io/v1", "A", "a"), item("b.io/v1", "B", "b"), item("own.io/v1", "Own", "o"), crd)
    error = await said(Memory(), workflow(tmp_path, submit(), job=Rendering(instances=(blocks,))))
    assert isinstance(error, NotFound)
    assert lines(error) == ["job: the cluster does not serve a.io/v1 A", "job: the cluster does not serve b.io/v1 B"]
    assert "install the component" in error.hint


@pytest.mark.parametrize(
    ("api_version", "kind", "command"),
    [
        ("kueue.x-k8s.io/v1beta1", "LocalQueue", "`knavtool cluster up --engine existing --with kueue` brings it"),
        (
            "scheduling.k8s.io/v1beta1",
            "PodGroup",
            "`knavtool cluster up --engine existing --with native-gang` brings it",
        ),
        ("scheduling.x-k8s.io/v1alpha1", "PodGroup", "`knavtool cluster up --engine existing --with coscheduling`"),
        ("example.com/v1", "Thing", "install the component that brings it"),
        # The kind is there, so no component is missing.
        ("scheduling.k8s.io/v1alpha9", "PriorityClass", "correct apiVersion"),
    ],
)
async def test_a_kind_that_is_not_served_names_what_brings_it(
    tmp_path: Path, api_version: str, kind: str, command: str
) -> None:
    given = workflow(tmp_path, submit(), job=Rendering(instances=((item(api_version, kind, "a"),),)))
    error = await said(Memory(), given, advice=advice({"HOME": str(tmp_path)}, "https://127.0.0.1:1"))
    assert isinstance(error, NotServed)
    assert error.hint.startswith(command)


def gated(manifest: dict[str, Any]) -> dict[str, Any]:
    """What Kueue makes of a pod that is queued."""
    manifest["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    return manifest


def queued(kind: str, name: str, namespace: str | None = None, **spec: Any) -> Item:
    body = orjson.loads(item(*kind.rsplit("/", 1), name, namespace, spec=spec).body)
    body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "q"}
    return Item(
        api_version=body["apiVersion"], kind=body["kind"], namespace=namespace, name=name, body=orjson.dumps(body)
    )


def test_a_kind_that_is_not_served_can_be_told_for_many_objects() -> None:
    first = NotServed("no such kind", hint="`cluster up --with a` brings it")
    error = not_done("deleted", [("A a", first), ("A b", first)], 3)
    assert isinstance(error, NotServed)
    assert error.message == "2 of 3 objects were not deleted: A a: no such kind"
    assert (error.status, error.hint) == (404, first.hint)


async def test_a_queue_label_that_nothing_acts_on_is_told(tmp_path: Path) -> None:
    known = advice({"HOME": str(tmp_path)}, "https://127.0.0.1:1")
    pods = Rendering(instances=((queued("v1/Pod", "a"), queued("batch/v1/Job", "b")), (queued("v1/Pod", "c"),)))
    given = workflow(tmp_path, submit(), job=pods)
    gateway = Memory()
    warnings = await preflight(gateway, given, advice=known)
    assert [warning.partition(": job: ")[2].partition(",")[0] for warning in warnings] == [
        "Pod a has the label kueue.x-k8s.io/queue-name",
        "Job b has the label kueue.x-k8s.io/queue-name",
    ]
    assert all("wf.yml:" in warning and "add Kueue" in warning for warning in warnings)
    # One question per kind, whatever the number of objects.
    assert [call for call in gateway.calls if call[0] == "dry run"] == [
        ("dry run", "Pod", "default"),
        ("dry run", "Job", "default"),
    ]


async def test_a_queue_label_that_holds_the_object_is_not_told(tmp_path: Path) -> None:
    known = advice({"HOME": str(tmp_path)}, "https://127.0.0.1:1")
    gateway = Memory()
    gateway.admit = gated
    # A Job that is suspended already tells nothing, a ConfigMap has no queue, and a pod without the label no need.
    other = (queued("batch/v1/Job", "b", suspend=True), queued("v1/ConfigMap", "c"), item("v1", "Pod", "d", spec={}))
    given = workflow(tmp_path, submit(), job=Rendering(instances=((queued("v1/Pod", "a"), *other),)))
    assert await preflight(gateway, given, advice=known) == []
    assert sum(call[0] == "dry run" for call in gateway.calls) == 1


async def test_a_refused_dry_run_tells_nothing(tmp_path: Path) -> None:
    known = advice({"HOME": str(tmp_path)}, "https://127.0.0.1:1")
    gateway = Memory()

    def refuse(manifest: dict[str, Any]) -> dict[str, Any]:
        raise Forbidden("no dry runs", status=403)

    gateway.admit = refuse
    given = workflow(tmp_path, submit(), job=Rendering(instances=((queued("v1/Pod", "a"),),)))
    assert await preflight(gateway, given, advice=known) == []


async def test_a_namespace_of_the_plan_is_not_waited_for(tmp_path: Path) -> None:
    known = advice({"HOME": str(tmp_path)}, "https://127.0.0.1:1")
    gateway = Memory()

    def admit(manifest: dict[str, Any]) -> dict[str, Any]:
        if gateway.calls[-1][2] == "new":
            raise NotFound("no namespace new", status=404)
        return gated(manifest)

    gateway.admit = admit
    given = workflow(tmp_path, submit(), job=Rendering(instances=((queued("v1/Pod", "a", "new"),),)))
    assert await preflight(gateway, given, advice=known) == []
    assert [call for call in gateway.calls if call[0] == "dry run"] == [
        ("dry run", "Pod", "new"),
        ("dry run", "Pod", "default"),
    ]


async def test_an_administrator_is_asked_about_once(tmp_path: Path) -> None:
    gateway = account(admin=True)
    await preflight(gateway, workflow(tmp_path, submit(), CHECK), cleanup=True)
    assert questions(gateway) == ["* *.* None"]


async def test_everybody_else_once_for_each_right(tmp_path: Path) -> None:
    gateway = account()
    await preflight(gateway, workflow(tmp_path, submit(), CHECK, {**CHECK, "id": "again"}))
    assert sorted(questions(gateway)) == [
        "* *.* None",
        "create jobs.batch default",
        "list nodes None",
        "list pods default",
        "watch pods default",
    ]


async def test_several_namespaces_are_asked_for_only_if_all_of_them_are_refused(tmp_path: Path) -> None:
    blocks = tuple((item("batch/v1", "Job", "j", name),) for name in ("a", "b"))
    given = workflow(tmp_path, submit(), job=Rendering(instances=blocks))
    gateway = account()
    await preflight(gateway, given)
    assert questions(gateway) == ["* *.* None", "create jobs.batch None"]

    gateway = account("create jobs.batch in None", "create jobs.batch in b")
    assert lines(await said(gateway, given)) == ["job: this account may not create jobs.batch in namespace b"]


async def test_a_missing_right_is_told_at_the_first_task_that_needs_it(tmp_path: Path) -> None:
    configure = task("Configure", timeout="1s", namespaces=[{"name": "n", "op": "create"}])
    gateway = account("create namespaces", "watch pods", "delete jobs.batch", "delete namespaces", "get jobs.batch")
    tasks = [configure, submit(), CHECK, {**CHECK, "id": "again"}]
    error = await said(gateway, workflow(tmp_path, *tasks))
    assert isinstance(error, Forbidden)
    assert lines(error) == [
        "configure: this account may not create namespaces",
        "check: this account may not watch pods in namespace default",
    ]
    assert "chart" in error.hint

    error = await said(gateway, workflow(tmp_path, *tasks), cleanup=True)
    assert lines(error) == [
        "configure: this account may not create or delete namespaces",
        "job: this account may not delete jobs.batch in namespace default",
        "job: this account may not watch pods in namespace default",
    ]


async def test_config_maps_are_asked_for_where_they_are_and_for_what_is_done(tmp_path: Path) -> None:
    entries = [
        {"name": "x", "namespace": "a", "op": "create", "data": {}},
        {"name": "x", "namespace": "b", "op": "delete"},
    ]
    gateway = account()
    await preflight(gateway, workflow(tmp_path, task("Configure", timeout="1s", configmaps=entries)))
    assert set(questions(gateway)) == {
        "* *.* None",
        "create configmaps a",
        "get configmaps b",
        "delete configmaps b",
    }


@pytest.mark.parametrize("error", [Forbidden("no", status=403), NotFound("no", status=404)])
async def test_a_server_that_answers_no_questions_lets_the_run_start(tmp_path: Path, error: ClusterError) -> None:
    class Silent(Memory):
        async def may(self, *_: object, **__: object) -> bool:
            raise error

    await preflight(Silent(), workflow(tmp_path, submit(), CHECK))


@pytest.mark.parametrize(("count", "call"), [(3, "get"), (40, "list")])
async def test_names_that_are_taken(tmp_path: Path, count: int, call: str) -> None:
    gateway = Memory()
    for name in ("job1", "job2", "other"):
        await gateway.create(JOBS, {"metadata": {"name": name}}, namespace="default")
    gateway.calls.clear()
    names = [f"job{number}" for number in range(count)]
    error = await said(gateway, workflow(tmp_path, submit(count=count), job=jobs(*names)))
    assert isinstance(error, AlreadyExists)
    assert lines(error) == ["job: 2 Jobs exist already in namespace default: job1, job2"]
    assert "canExist" in error.hint
    assert [verb for verb, kind, _ in gateway.calls if kind == "Job"] == [call] * (count if call == "get" else 1)


async def test_one_name_in_another_namespace_is_free(tmp_path: Path) -> None:
    gateway = Memory()
    await gateway.create(JOBS, {"metadata": {"name": "job1"}}, namespace="other")
    gateway.calls.clear()
    await preflight(gateway, workflow(tmp_path, submit()))


async def test_objects_that_may_exist_are_not_looked_for(tmp_path: Path) -> None:
    gateway = Memory()
    await preflight(gateway, workflow(tmp_path, submit(canExist=True)))
    assert [call for call in gateway.calls if call[0] != "may"] == []


async def test_a_name_that_is_freed_before_is_not_taken(tmp_path: Path) -> None:
    gateway = Memory()
    for name in ("job1", "job2"):
        await gateway.create(JOBS, {"metadata": {"name": name}}, namespace="default")
    gateway.calls.clear()
    first, delete = submit("first", canExist=True), task("DeleteObj", refTaskId="first")
    both = {"first": jobs("job1"), "job": jobs("job1", "job2")}
    error = await said(gateway, workflow(tmp_path, first, delete, submit(count=2), **both))
    assert lines(error) == ["job: Job job2 exists already in namespace default"]
    error = await said(gateway, workflow(tmp_path, first, submit(count=2), **both))
    assert lines(error) == ["job: 2 Jobs exist already in namespace default: job1, job2"]


async def test_a_name_is_free_again_in_the_next_round(tmp_path: Path) -> None:
    steps = [submit(canExist=True), task("DeleteObj", refTaskId="job"), submit("again")]
    repeat = task("Repeat", count=2, tasks=steps)
    gateway = Memory()
    await gateway.create(JOBS, {"metadata": {"name": "job1"}}, namespace="default")
    gateway.calls.clear()
    given = workflow(tmp_path, repeat, job=jobs("job1"), again=jobs("job1"))
    await preflight(gateway, given)


async def test_a_check_after_a_loop_is_about_the_objects_of_all_rounds(tmp_path: Path) -> None:
    loop = submit(params={"namespace": "${place}", "parallelism": 1}) | {"foreach": {"place": ["a", "b"]}}
    plan_ = planned(tmp_path, register(), loop, task("CheckObj", "check", refTaskId="job", state={"a": 1}))
    rounds = iter("ab")
    renderings = {
        id(one.task): jobs("x", namespace=next(rounds)) if one.document.type == "SubmitObj" else Rendering()
        for one in plan_.tasks()
    }
    gateway = account("watch jobs.batch in None", "watch jobs.batch in b")
    error = await said(gateway, RenderedPlan(plan=plan_, renderings=renderings))
    assert lines(error) == ["check: this account may not watch jobs.batch in namespace b"]


async def test_pods_are_read_where_the_objects_are(tmp_path: Path) -> None:
    both = ((item("v1", "Namespace", "a"), item("batch/v1", "Job", "j", "a"), item("batch/v1", "Job", "j", "b")),)
    plan_ = planned(tmp_path, register(), submit(), task("CheckPod", "check", refTaskId="job", status="Running"))
    gateway = account("watch pods in None")
    await preflight(gateway, rendered(plan_, job=Rendering(instances=both, pod_count=1)))
    assert {"watch pods a", "watch pods b"} < set(questions(gateway))


async def test_a_check_of_one_document_needs_nothing_of_the_others(tmp_path: Path) -> None:
    job = replace(item("batch/v1", "Job", "j", "default"), document=1)
    blocks = ((item("v1", "ConfigMap", "c"), job),)
    both = JOB + "---\n" + JOB
    plan_ = planned(
        tmp_path,
        register(),
        submit(),
        task("CheckObj", "check", refTaskId="job", state={"a": 1}, index=1),
        template=both,
    )
    gateway = account("list configmaps")
    await preflight(gateway, rendered(plan_, job=Rendering(instances=blocks)))
    assert {"list jobs.batch default", "watch jobs.batch default"} < set(questions(gateway))


@pytest.mark.parametrize(
    ("deleted", "free"),
    [
        ({"configmaps": [{"name": "x", "namespace": "default", "op": "delete"}]}, True),
        ({"configmaps": [{"name": "x", "namespace": "default", "op": "create", "data": {}}]}, False),
        ({"configmaps": [{"name": "x", "namespace": "other", "op": "delete"}]}, False),
        ({"namespaces": [{"name": "default", "op": "delete"}]}, True),
        ({"namespaces": [{"name": "other", "op": "delete"}]}, False),
    ],
)
async def test_what_configure_deletes_is_free(tmp_path: Path, deleted: dict[str, Any], free: bool) -> None:
    gateway = Memory()
    await gateway.create(CONFIG_MAPS, {"metadata": {"name": "x"}}, namespace="default")
    gateway.calls.clear()
    one = Rendering(instances=((item("v1", "ConfigMap", "x"),),))
    given = workflow(tmp_path, task("Configure", timeout="1s", **deleted), submit(), job=one)
    if free:
        await preflight(gateway, given)
    else:
        assert "ConfigMap x exists already" in (await said(gateway, given)).message


async def test_objects_that_may_not_be_read_are_no_fault(tmp_path: Path) -> None:
    gateway = Memory()
    gateway.refuse["get", "Job"] = Forbidden("no", status=403)
    await preflight(gateway, workflow(tmp_path, submit()))


async def test_everything_is_told_at_once_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    gateway = account("watch pods")
    await gateway.create(JOBS, {"metadata": {"name": "job1"}}, namespace="default")
    gateway.calls.clear()
    error = await said(
        gateway,
        workflow(
            tmp_path,
            submit("strange"),
            submit(),
            CHECK,
            strange=Rendering(instances=((item("a.io/v1", "A", "a"),),)),
            job=jobs("job1"),
        ),
    )
    assert error.message.splitlines() == [
        f"{tmp_path}/wf.yml:12:3: strange: the cluster does not serve a.io/v1 A",
        f"{tmp_path}/wf.yml:19:3: job: Job job1 exists already in namespace default",
        f"{tmp_path}/wf.yml:26:3: check: this account may not watch pods in namespace default",
        "nothing was changed",
    ]
    assert all(word in error.hint for word in ("install", "canExist", "role"))


async def test_a_plan_without_needs_asks_nothing(tmp_path: Path) -> None:
    gateway = Memory()
    await preflight(gateway, workflow(tmp_path, task("Sleep", timeout="1s")))
    assert gateway.calls == []


async def test_a_kind_that_a_task_chooses_has_to_be_served(tmp_path: Path) -> None:
    check = task("CheckObj", "check", apiVersion="a.io/v1", kind="A", name="x")
    error = await said(Memory(), workflow(tmp_path, submit(), check))
    assert lines(error) == ["check: the cluster does not serve a.io/v1 A"]


async def test_a_kind_that_the_plan_defines_may_be_chosen(tmp_path: Path) -> None:
    crd = item(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "x", spec={"group": "own.io", "names": {"kind": "Own"}}
    )
    check = task("CheckObj", "check", apiVersion="own.io/v1", kind="Own", name="x")
    await preflight(Memory(), workflow(tmp_path, submit(), check, job=Rendering(instances=((crd,),))))


@pytest.mark.parametrize(
    ("chosen", "where"),
    [
        ({"name": "x"}, "in namespace default"),
        ({"name": "x", "namespace": "team-a"}, "in namespace team-a"),
        ({"labels": {"a": "b"}}, "in all namespaces"),
        ({"ownedBy": "job"}, "in namespace default"),
        ({"ownedBy": "jobs"}, "in all namespaces"),
    ],
)
async def test_rights_on_a_kind_are_asked_for_where_it_is_looked_for(
    tmp_path: Path, chosen: dict[str, Any], where: str
) -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    tasks = [
        submit(),
        submit("jobs"),
        task("CheckObj", "check", **kind, **chosen),
        task("UpdateObj", "change", **kind, **chosen, state={"data": {}}),
        task("DeleteObj", "delete", **kind, **chosen, allowOthers=True),
    ]
    jobs_of_two = Rendering(instances=(*jobs("b").instances, *jobs("c", namespace="team-a").instances))
    given = workflow(tmp_path, *tasks, job=jobs("a"), jobs=jobs_of_two)
    verbs = ("list", "watch", "patch", "delete", "create")
    error = await said(account(*(f"{verb} configmaps" for verb in verbs)), given, cleanup=True)
    assert lines(error) == [
        f"check: this account may not list or watch configmaps {where}",
        f"change: this account may not patch configmaps {where}",
        f"delete: this account may not delete or create configmaps {where}",
    ]


async def test_a_namespace_for_what_lives_in_none(tmp_path: Path) -> None:
    check = task("CheckObj", "check", apiVersion="v1", kind="Node", name="x", namespace="default")
    with pytest.raises(InvalidDocument, match=r"wf\.yml:.*params\.namespace: a Node lives in no namespace"):
        await preflight(Memory(), workflow(tmp_path, submit(), check))


async def test_a_name_that_a_task_frees_by_kind_is_not_taken(tmp_path: Path) -> None:
    gateway = Memory()
    await gateway.create(JOBS, {"metadata": {"name": "job1"}}, namespace="default")
    delete = task("DeleteObj", "delete", apiVersion="batch/v1", kind="Job", name="job1", allowOthers=True, wait=True)
    await preflight(gateway, workflow(tmp_path, delete, submit()))
