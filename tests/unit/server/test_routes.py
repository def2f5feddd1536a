"""The routes over HTTP, with runs that end when the test says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from knavtool.errors import Forbidden
from knavtool.server.problems import Refusal
from knavtool.server.routes.runs import read_submission
from support.server import TOKEN, Gate, serving, sleep, submission

RUNS = "/runs"


async def test_a_run_from_its_submission_to_its_report() -> None:
    gate = Gate()
    async with serving(gate) as api:
        async with api.session.post(
            api.url + RUNS, json=submission(), headers={"Authorization": f"Bearer {TOKEN}"}
        ) as response:
            assert response.status == 202
            run = await response.json()
            location = response.headers["Location"]
        assert (run["name"], run["state"], run["position"], run["exitCode"]) == ("sleeper", "queued", 0, None)
        await gate.begun.wait()
        status, run = await api.ask("GET", location)
        assert (status, run["state"], run["position"], run["counts"]["running"]) == (200, "running", None, 1)
        assert (await api.ask("GET", f"{location}/report"))[0] == 409
        gate.open.set()
        run = await api.end(run["id"])
        assert (run["state"], run["exitCode"], run["counts"]["ok"], run["error"]) == ("passed", 0, 1, None)
        assert run["created"] <= run["started"] <= run["ended"]
        status, report = await api.ask("GET", f"{location}/report")
        assert (status, report["result"], report["counts"]["tasks"]["ok"]) == (200, "ok", 1)
        status, junit = await api.ask("GET", f"{location}/report?format=junit")
        assert (status, [suite.tests for suite in JUnitXml.fromstring(junit)]) == (200, [1])
        assert [each["id"] for each in (await api.ask("GET", RUNS))[1]] == [run["id"]]


async def test_a_failed_check_is_a_result_and_a_refusal_an_error() -> None:
    async def refuse(*_: object) -> bool:
        raise Forbidden("may not create jobs", hint="ask for it")

    async with serving(refuse) as api:
        id_ = await api.submit()
        run = await api.end(id_)
        assert (run["state"], run["exitCode"]) == ("error", 5)
        assert run["error"] == {"message": "may not create jobs", "hint": "ask for it"}
        assert (await api.ask("GET", f"/runs/{id_}/report"))[0] == 404
    gate = Gate(passed=False)
    gate.open.set()
    async with serving(gate) as api:
        run = await api.end(await api.submit())
        assert (run["state"], run["exitCode"], run["counts"]["failed"]) == ("failed", 1, 1)


async def test_a_fault_of_ours_is_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(*_: object) -> bool:
        raise ExceptionGroup("", [Forbidden("no", status=403), ZeroDivisionError("no such luck")])

    async with serving(fail) as api:
        run = await api.end(await api.submit())
    assert (run["state"], run["exitCode"]) == ("error", 70)
    assert run["error"]["message"] == "internal error on the server: ZeroDivisionError: no such luck"
    assert "please report it" in run["error"]["hint"]
    assert "Traceback" in caplog.text


async def test_nothing_without_the_token() -> None:
    routes = [("GET", RUNS), ("POST", RUNS), ("GET", "/runs/x"), ("POST", "/runs/x/cancel"), ("POST", "/workflow")]
    headers = ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe4\xff"]
    async with serving(Gate()) as api:
        for (method, path), header in itertools.product(routes, headers):
            status, problem = await api.ask(method, path, headers={"Authorization": header})
            assert (status, problem["title"]) == (401, "Unauthorized"), (method, path, header)


async def test_probes_and_the_openapi_document_need_no_token() -> None:
    async with serving(Gate()) as api:
        nobody = {"Authorization": ""}
        for path in ("/healthz", "/readyz"):
            assert await api.ask("GET", path, headers=nobody) == (200, {"status": "ok"})
        status, document = await api.ask("GET", "/openapi.json", headers=nobody)
    assert status == 200
    for path, operations in document["paths"].items():
        secured = path not in ("/healthz", "/readyz")
        for operation in operations.values():
            assert ("security" in operation) is secured, path
            assert ("401" in operation["responses"]) is secured, path


async def test_the_client_chooses_to_wait_or_not() -> None:
    gate = Gate()
    async with serving(gate, limit=2) as api:
        first = await api.submit(wait="refuse")
        await gate.begun.wait()
        status, problem = await api.ask("POST", RUNS, json=submission(wait="refuse"))
        assert (status, problem["detail"]) == (409, "another run uses the cluster")
        second, third = await api.submit(text=sleep("second")), await api.submit(text=sleep("third"))
        status, problem = await api.ask("POST", RUNS, json=submission())
        assert (status, problem["title"]) == (429, "Too Many Requests")
        positions = [(await api.ask("GET", f"/runs/{id_}"))[1]["position"] for id_ in (first, second, third)]
        assert positions == [None, 1, 2]
        assert (await api.ask("POST", f"/runs/{second}/cancel"))[1]["state"] == "cancelled"
        assert (await api.ask("GET", f"/runs/{third}"))[1]["position"] == 1
        gate.open.set()
        assert [(await api.end(id_))["state"] for id_ in (first, second, third)] == ["passed", "cancelled", "passed"]
    assert gate.names == ["sleeper", "third"]


async def test_cancelling_twice_lets_the_cleanup_end() -> None:
    gate = Gate()
    gate.cleanup.clear()
    async with serving(gate) as api:
        id_ = await api.submit()
        await gate.begun.wait()
        for _ in range(2):
            status, run = await api.ask("POST", f"/runs/{id_}/cancel")
            assert (status, run["state"]) == (202, "cancelling")
        gate.cleanup.set()
        run = await api.end(id_)
        assert (run["state"], run["exitCode"], run["counts"]["cancelled"]) == ("cancelled", 130, 1)
        assert (await api.ask("POST", f"/runs/{id_}/cancel"))[1]["state"] == "cancelled"


async def test_events_are_replayed_from_where_the_client_wants() -> None:
    gate = Gate()
    async with serving(gate) as api:
        id_ = await api.submit()
        await gate.begun.wait()
        stream = api.messages(id_)
        early = [await anext(stream) for _ in range(5)]
        assert [message.name for message in early] == ["status", "status", "started", "started", "started"]
        gate.open.set()
        all_ = early + [message async for message in stream]
        assert [message.name for message in all_[5:]] == ["ended", "ended", "ended", "status"]
        assert [message async for message in api.messages(id_)] == all_
        assert [message async for message in api.messages(id_, after=all_[-2].id)] == all_[-1:]
        assert [message async for message in api.messages(id_, after=10**6)] == []


async def test_a_client_that_hangs_up_cancels_nothing() -> None:
    gate = Gate()
    async with serving(gate) as api:
        posting = asyncio.create_task(api.ask("POST", "/workflow", data=sleep()))
        await gate.begun.wait()
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        (run,) = (await api.ask("GET", RUNS))[1]
        gate.open.set()
        assert (await api.end(run["id"]))["state"] == "passed"


async def test_a_body_of_yaml_is_one_workflow() -> None:
    gate = Gate()
    gate.open.set()
    async with serving(gate) as api:
        yaml = {"Content-Type": "application/yaml"}
        status, run = await api.ask("POST", "/runs?cleanup=true&wait=refuse", data=sleep("alone"), headers=yaml)
        assert (status, run["name"]) == (202, "alone")
        status, problem = await api.ask("POST", "/runs?cleanup=perhaps", data=sleep(), headers=yaml)
        assert (status, problem["violations"][0]["path"]) == (422, "query.cleanup")
        assert (await api.ask("POST", "/runs?cleanup=true", json=submission()))[0] == 422
        assert (await api.ask("POST", RUNS, data="x"))[0] == 415


async def test_what_is_wrong_with_the_files_is_told_at_its_place() -> None:
    files = {
        "a/one.yml": "name: one\ntasks:\n- {id: x, type: Sleep, params: {timeout: soon}}\n",
        "two.yml": "tasks: [\n",
    }
    async with serving(Gate()) as api:
        status, problem = await api.ask("POST", RUNS, json={"files": files, "workflows": list(files)})
    assert status == 422
    places = [(each["file"], each["line"], each["path"]) for each in problem["violations"]]
    assert ("a/one.yml", 3, "tasks[0].params.timeout") in places
    assert any(file == "two.yml" and line for file, line, _ in places)


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (b"{", 400, ""),
        (b'{"files": \xff}', 400, ""),
        (b"[" * 600, 400, ""),
        (b"[]", 422, ""),
        (b"{}", 422, "files"),
        (json.dumps(submission(more=1)).encode(), 422, "more"),
        (json.dumps(submission(options={"qps": -1})).encode(), 422, "options.qps"),
        (json.dumps(submission(options={"cleanup": "yes"})).encode(), 422, "options.cleanup"),
        (json.dumps(submission(options={"cleanupTimeout": "soon"})).encode(), 422, "options.cleanupTimeout"),
        (json.dumps(submission(options={"cleanupTimeout": "-1s"})).encode(), 422, "options.cleanupTimeout"),
        (json.dumps({"files": {"a": "", "a/b": ""}, "workflows": ["a"]}).encode(), 422, ""),
        (json.dumps({"files": {"a": ""}, "workflows": ["b"]}).encode(), 422, ""),
        (json.dumps({"files": {"../a": ""}, "workflows": ["../a"]}).encode(), 422, 'files["../a"]'),
        (json.dumps({"files": {"/a": ""}, "workflows": ["/a"]}).encode(), 422, 'files["/a"]'),
        (json.dumps({"files": {"a\0": ""}, "workflows": ["a\0"]}).encode(), 422, 'files["a\\x00"]'),
        (json.dumps({"files": {"a" * 300: ""}, "workflows": ["a"]}).encode(), 422, f"files.{'a' * 300}"),
        (json.dumps(submission(text="\ud800")).encode(), 400, ""),
    ],
)
def test_a_bad_body_is_told(body: bytes, status: int, path: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_submission(body)
    problem = refused.value.problem
    assert (problem.status, problem.violations[0].path) == (status, path)
    assert problem.violations[0].message


async def test_a_body_that_is_no_json_is_told_over_http() -> None:
    async with serving(Gate()) as api:
        status, problem = await api.ask("POST", RUNS, data=b"{", headers={"Content-Type": "application/json"})
    assert (status, problem["detail"]) == (400, "the body is not JSON")
    assert (problem["violations"][0]["line"], problem["violations"][0]["column"]) == (1, 1)


async def test_a_body_that_is_too_large_is_refused_also_when_its_size_is_not_told() -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b"#" * 1000

    async with serving(Gate(), size=10_000) as api:
        yaml = {"Content-Type": "application/yaml"}
        for body in (b"#" * 10_001, endless()):
            status, problem = await api.ask("POST", RUNS, data=body, headers=yaml)
            assert (status, problem["status"]) == (413, 413)
        assert (await api.ask("POST", RUNS, data=sleep().ljust(10_000), headers=yaml))[0] == 202


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    never = asyncio.Event()

    async def slow() -> Any:
        yield b"name: "
        await never.wait()

    async with serving(Gate(), seconds=0.05) as api:
        status, problem = await api.ask("POST", "/workflow", data=slow())
        assert (status, problem["status"]) == (408, 408)


async def test_knavigators_route(tmp_path: Path) -> None:
    gate = Gate(passed=False)
    gate.open.set()
    async with serving(gate, root=tmp_path) as api:
        assert await api.ask("POST", "/workflow", data=sleep()) == (500, "wait: not what was expected\n")
        gate.passed = True
        assert await api.ask("POST", "/workflow", data=sleep()) == (200, "")
        status, said = await api.ask("POST", "/workflow", data="tasks: 1\n")
        assert status == 400
        assert "workflow.yaml:1:1" in said
        assert (await api.ask("POST", "/workflow", data=b"\xff"))[0] == 400
        unknown = sleep() + "more: 1\n"
        assert (await api.ask("POST", "/workflow", data=unknown))[0] == 400
        assert (await api.ask("POST", "/workflow?compat=true", data=unknown))[0] == 200
        for method in ("GET", "PUT", "DELETE"):
            assert (await api.ask(method, "/workflow"))[0] == 405


async def test_unknown_things_are_404() -> None:
    async with serving(Gate()) as api:
        for method, path in (("GET", "/"), ("GET", "/runs/x"), ("GET", "/runs/x/events"), ("POST", "/runs/x/cancel")):
            status, problem = await api.ask(method, path)
            assert (status, problem["status"]) == (404, 404)


async def test_only_so_many_runs_are_remembered() -> None:
    gate = Gate()
    gate.open.set()
    async with serving(gate, keep=2) as api:
        ids = []
        for _ in range(4):
            ids.append(await api.submit())
            await api.end(ids[-1])
        known = [run["id"] for run in (await api.ask("GET", RUNS))[1]]
    assert known == ids[2:]
