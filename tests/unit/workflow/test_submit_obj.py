"""SubmitObj: what is created, what is recorded, what happens when the server refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import AlreadyExists, Forbidden, InvalidDocument, NotServed, RenderError
from knavtool.helm import Helm
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, Manifest, Resource
from knavtool.workflow import rendering
from knavtool.workflow.task import Rendering
from support.memory import Memory
from support.programs import program
from support.workflows import JOB, Bench, faults, item, jobs, planned, register, submit, task


async def test_creates_all_objects_and_records_them(tmp_path: Path) -> None:
    memory = Memory()
    bench = Bench(memory)
    outcome = await bench.run(planned(tmp_path, register(), submit(count=3)), "job", jobs("a", "b", "c", pods=2))
    live = {one["metadata"]["name"]: one["metadata"]["uid"] for one in await memory.list(JOBS)}
    submission = bench.submissions["job"]
    assert {one.name: one.uid for one in submission.objects()} == live
    assert submission.pod_count == 6
    assert {made.name: made.uid for made in bench.ledger.made()} == live
    assert outcome.data["objects"] == {"Job": {"default": ["a", "b", "c"]}}
    assert outcome.message.startswith("3 Jobs created")


async def test_a_namespaced_object_without_a_namespace_goes_to_default(tmp_path: Path) -> None:
    memory = Memory()
    both = (item("v1", "ConfigMap", "c"), item("v1", "Namespace", "n"))
    bench = Bench(memory)
    await bench.run(planned(tmp_path, register(), submit()), "job", Rendering(instances=(both,)))
    assert (await memory.get(CONFIG_MAPS, "c", namespace="default"))["metadata"]["name"] == "c"
    assert [one.namespace for one in bench.submissions["job"].objects()] == ["default", None]
    assert (await memory.get(NAMESPACES, "n"))["metadata"]["name"] == "n"


async def test_objects_are_sent_unchanged(tmp_path: Path) -> None:
    memory = Memory()
    body = item("v1", "ConfigMap", "c", "default", data={"a": "b"}, immutable=True)
    await Bench(memory).run(planned(tmp_path, register(), submit()), "job", Rendering(instances=((body,),)))
    live = await memory.get(CONFIG_MAPS, "c", namespace="default")
    assert (live["data"], live["immutable"], "spec" in live) == ({"a": "b"}, True, False)


async def test_blocks_of_one_object_are_created_in_their_order(tmp_path: Path) -> None:
    memory = Memory()
    pairs = tuple((item("v1", "ConfigMap", f"c{n}"), item("batch/v1", "Job", f"j{n}")) for n in range(20))
    await Bench(memory).run(planned(tmp_path, register(), submit()), "job", Rendering(instances=pairs))
    created = [name for verb, _, name in memory.calls if verb == "create"]
    assert all(created.index(f"c{n}") < created.index(f"j{n}") for n in range(20))


async def test_can_exist_spares_only_the_object_that_exists(tmp_path: Path) -> None:
    memory = Memory()
    await memory.create(JOBS, {"metadata": {"name": "a"}, "spec": {"mine": False}}, namespace="default")
    bench = Bench(memory)
    outcome = await bench.run(planned(tmp_path, register(), submit(canExist=True)), "job", jobs("a", "b"))
    assert [(one.name, one.existed) for one in bench.submissions["job"].objects()] == [("a", True), ("b", False)]
    assert [made.name for made in bench.ledger.made()] == ["b"]
    assert outcome.message == "1 Job created, 1 existed"


async def test_an_existing_object_is_an_error_without_can_exist(tmp_path: Path) -> None:
    memory = Memory()
    await memory.create(JOBS, {"metadata": {"name": "b"}}, namespace="default")
    bench = Bench(memory)
    with pytest.raises(AlreadyExists, match="1 of 2 objects were created, then: Job default/b exists already"):
        await bench.run(planned(tmp_path, register(), submit(count=2)), "job", jobs("a", "b"))
    assert [made.name for made in bench.ledger.made()] == ["a"]


async def test_the_ledger_knows_an_object_before_it_is_created(tmp_path: Path) -> None:
    bench = Bench(_Watching())
    bench.gateway.ledger = bench.ledger  # type: ignore[attr-defined]
    await bench.run(planned(tmp_path, register(), submit()), "job", jobs("a"))
    assert bench.gateway.known == ["a"]  # type: ignore[attr-defined]


async def test_a_refused_object_is_not_in_the_ledger(tmp_path: Path) -> None:
    memory = Memory()
    memory.refuse["create", "Job"] = Forbidden("create jobs: not allowed", status=403)
    bench = Bench(memory)
    with pytest.raises(Forbidden):
        await bench.run(planned(tmp_path, register(), submit()), "job", jobs("a"))
    assert list(bench.ledger.made()) == []


async def test_all_that_was_not_tried_has_the_reason_that_ended_the_task(tmp_path: Path) -> None:
    bench = Bench(Memory())
    unserved = [item("example.com/v1", "Gadget", name) for name in ("a", "b", "c")]
    built = planned(tmp_path, register(), submit(count=3))
    with pytest.raises(NotServed):
        await bench.run(built, "job", Rendering(instances=tuple((one,) for one in unserved)))
    (submission,) = bench.submitted.values()
    assert {refused.reason for refused in submission.refused} == {"the cluster does not serve example.com/v1 Gadget"}
    assert len(submission.refused) == 3


async def test_an_interruption_waits_for_the_answer_to_what_was_sent(tmp_path: Path) -> None:
    slow = _Slow()
    bench = Bench(slow)
    running = asyncio.create_task(bench.run(planned(tmp_path, register(), submit(count=2)), "job", jobs("a", "b")))
    await slow.asked.wait()
    running.cancel()
    await asyncio.sleep(0)
    slow.answer.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {made.name: bool(made.uid) for made in bench.ledger.made()} == {"a": True, "b": True}


class _Watching(Memory):
    """Notes what the ledger holds when a request arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[str] = []
        self.ledger: Any = None

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        self.known += [made.name for made in self.ledger.made()]
        return await super().create(resource, body, namespace=namespace)


class _Slow(Memory):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def create(self, resource: Resource, body: Manifest | bytes, *, namespace: str | None = None) -> Manifest:
        self.asked.set()
        await self.answer.wait()
        return await super().create(resource, body, namespace=namespace)


async def test_renders_with_one_counter_for_all_tasks(tmp_path: Path) -> None:
    built = planned(tmp_path, register(), submit(count=2), submit("more", count=2))
    rendered = await rendering.render(built, Helm(program("helm")))
    names = [[blocks[0].name for blocks in rendered.of(planned.task).instances] for planned in built.tasks()]
    assert names == [[], ["job1", "job2"], ["job3", "job4"]]
    patterns = rendered.of(list(built.tasks())[2].task).pod_patterns
    pods = ["job3-x", "job4-x"]
    assert [[pod for pod in pods if pattern.fullmatch(pod)] for pattern in patterns] == [["job3-x"], ["job4-x"]]
    assert rendered.of(list(built.tasks())[1].task).pod_count == 4
    assert rendered.kinds() == {("batch/v1", "Job")}


async def test_the_dry_run_is_one_yaml_stream(tmp_path: Path) -> None:
    import yaml

    built = planned(tmp_path, register(), submit(count=2))
    text = "".join((await rendering.render(built, Helm(program("helm")))).text())
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(text)] == ["job1", "job2"]
    assert "# 2. job (SubmitObj): 2 Jobs\n" in text


async def test_generated_names_are_known_before_they_are_sent(tmp_path: Path) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: c-\n"
    built = planned(
        tmp_path, register(nameFormat=None, podNameFormat=None, podCount=None), submit(count=3), template=template
    )
    instances = (await rendering.render(built, Helm(program("helm")))).of(list(built.tasks())[1].task).instances
    assert len({blocks[0].name for blocks in instances}) == 3


@pytest.mark.slow
async def test_generated_names_are_as_long_as_the_server_makes_them_and_no_name_is_there_twice(tmp_path: Path) -> None:
    base = "a-name-of-more-letters-than-a-name-of-any-object-may-have-at-all-"
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: {base}\n"
    parts = {"nameFormat": None, "podNameFormat": None, "podCount": None}
    # So many names of five letters would hold one twice, were they only drawn.
    built = planned(tmp_path, register(**parts, raw=True), submit(count=20_000, params=None), template=template)
    instances = (await rendering.render(built, Helm(tmp_path / "nowhere"))).of(list(built.tasks())[1].task).instances
    names = {blocks[0].name for blocks in instances}
    assert len(names) == 20_000
    assert {name[:58] for name in names} == {base[:58]}
    assert {len(name) for name in names} == {63}
    assert all(f'"name":"{blocks[0].name}"'.encode() in blocks[0].body for blocks in instances)


def test_params_that_a_raw_file_cannot_print(tmp_path: Path) -> None:
    params = {"parallelism": 2, "namespace": "default"}
    foreign = JOB + "  message: '{{ .Values.text }} {{ $labels.pod }}'\n"
    found = faults(tmp_path, register(raw=True), submit(params=params), template=foreign)
    assert [(fault.path, fault.message) for fault in found] == [
        (
            "tasks[1].params.params.namespace",
            "job.yml is taken as it is (raw: true), so nothing prints namespace",
        )
    ]


OPTIONAL = (
    "---\n{{- if .on }}\n"
    + JOB
    + "{{- end }}\n---\napiVersion: v1\nkind: List\nitems:\n"
    + "".join(
        f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: '{{{{._NAME_}}}}-{letter}'}}}}\n" for letter in "ab"
    )
)


async def test_an_index_counts_documents_where_they_stand(tmp_path: Path) -> None:
    memory = Memory()
    params = {"on": False, "namespace": "default", "parallelism": 2}
    check = task("CheckObj", "check", refTaskId="job", state={"kind": "ConfigMap"}, index=1)
    built = planned(tmp_path, register(), submit(params=params), check, template=OPTIONAL)
    rendered = await rendering.render(built, Helm(program("helm")))
    bench = Bench(memory)
    await bench.run(built, "job", rendered.of(list(built.tasks())[1].task))
    submission = bench.submissions["job"]
    assert [one.name for one in submission.block(1).objects()] == ["job1-a", "job1-b"]
    assert submission.block(0).objects() == []


async def test_a_check_of_a_document_that_renders_to_nothing_is_refused(tmp_path: Path) -> None:
    params = {"on": False, "namespace": "default", "parallelism": 2}
    check = task("CheckObj", "check", refTaskId="job", state={"kind": "Job"}, index=0)
    built = planned(tmp_path, register(), submit(params=params), check, template=OPTIONAL)
    with pytest.raises(InvalidDocument, match=r"tasks\[2\].params.index: .*document 0 renders to nothing") as caught:
        await rendering.render(built, Helm(program("helm")))
    assert "with the params of 'job'" in caught.value.message


async def test_two_objects_of_one_name_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fixed\n"
    built = planned(tmp_path, register(podNameFormat=None, podCount=None), submit(count=2), template=template)
    with pytest.raises(RenderError, match="gives two objects ConfigMap fixed"):
        await rendering.render(built, Helm(program("helm")))
