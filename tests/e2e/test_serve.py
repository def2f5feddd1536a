"""`knavtool serve` and `knavtool run --server` on a real control plane, as users call them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import stat
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import aiohttp
import pytest
from junitparser import JUnitXml

from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, NAMESPACES
from support.cli import SCRIPT
from support.control_plane import LocalCluster
from support.programs import program
from support.server import Api, sleep, submission
from support.workflows import register, submit, task, write

pytestmark = pytest.mark.cluster

TOKEN = "a-token-of-the-tests"
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{._NAME_}}
  namespace: {{.namespace}}
data: {}
"""


class Served:
    """A server process; `said` is what it wrote to stderr until it listened."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        found = self.told(r"serving (http://\S+), token in (\S+)")
        self.url, self.token_file = found[1], found[2]

    def told(self, pattern: str) -> re.Match[str]:
        """Read what the server writes until it has said this."""
        assert self.process.stderr is not None
        while not (found := re.search(pattern, self.said)):
            line = self.process.stderr.readline()
            assert line, f"the server ended: {self.said}"
            self.said += line
        return found

    def ask(self, question: Callable[[Api], Awaitable[Any]]) -> Any:
        """Be a client."""

        async def asked() -> Any:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
                return await question(Api(self.url, session))

        return asyncio.run(asked())

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal and wait; the exit code and all of stderr."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, self.said + rest


@pytest.fixture
def serve(
    control_plane: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Served]]:
    """Start servers for the control plane; those that still run at the end are killed."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    begun: list[subprocess.Popen[str]] = []

    def start(*options: str | Path, token: str | None = TOKEN, cwd: Path = tmp_path) -> Served:
        cluster = {"KNAVTOOL_KUBECONFIG": str(control_plane.kubeconfig), "KNAVTOOL_CONTEXT": control_plane.context}
        given = {"KNAVTOOL_TOKEN": token} if token is not None else {}
        command = [str(SCRIPT), "serve", "--listen", "127.0.0.1:0", *map(str, options)]
        process = subprocess.Popen(
            command,
            env=os.environ | cluster | given,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return Served(process)

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def namespace(control_plane: LocalCluster) -> Iterator[str]:
    """The name of a namespace that does not exist; it does not afterwards either."""
    name = f"serve-{uuid.uuid4().hex[:8]}"
    yield name
    control_plane.ask(lambda client: client.delete(NAMESPACES, name))


def making(directory: Path, namespace: str, *more: dict[str, Any], count: int = 2) -> Path:
    """A workflow that makes a namespace and config maps in it."""
    configure = task("Configure", timeout="30s", namespaces=[{"name": namespace, "op": "create"}])
    named = register(nameFormat="map{{._ENUM_}}", podNameFormat=None, podCount=None)
    maps = submit("maps", count=count, params={"namespace": namespace})
    return write(directory, configure, named, maps, *more, template=CONFIG_MAP)


def maps(control_plane: LocalCluster, namespace: str) -> set[str]:
    """The config maps of a workflow that are there."""

    async def names(client: Client) -> set[str]:
        return {item["metadata"]["name"] for item in await client.list(CONFIG_MAPS, namespace=namespace)}

    return control_plane.ask(names) - {"kube-root-ca.crt"}


async def until_running(api: Api, id_: str, task_: str) -> None:
    """Follow a run until a task of it has begun."""
    async for message in api.messages(id_):
        if message.name == "started" and message.data["name"] == task_:
            return
    raise AssertionError(f"the run ended before {task_}")


def posted(workflow: Path, **more: Any) -> dict[str, Any]:
    """A submission of a workflow and the template beside it."""
    files = {file.name: file.read_text() for file in (workflow, workflow.with_name("job.yml"))}
    return {"files": files, "workflows": [workflow.name], **more}


def test_a_run_over_http(
    serve: Callable[..., Served], control_plane: LocalCluster, tmp_path: Path, namespace: str
) -> None:
    server = serve()
    workflow = making(tmp_path, namespace)

    async def run(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
        status, queued = await api.ask("POST", "/runs", json=posted(workflow))
        assert status == 202, queued
        ended = await api.end(queued["id"])
        return ended, (await api.ask("GET", f"/runs/{queued['id']}/report"))[1]

    ended, report = server.ask(run)
    assert (ended["state"], ended["counts"]["ok"]) == ("passed", 3)
    assert report["counts"]["tasks"]["ok"] == 3
    assert maps(control_plane, namespace) == {"map1", "map2"}
    code, said = server.end()
    assert code == 0
    assert TOKEN not in said


def test_the_second_run_of_a_workflow_is_like_the_first(
    serve: Callable[..., Served], tmp_path: Path, namespace: str
) -> None:
    server = serve()
    workflow = making(tmp_path, namespace)

    async def twice(api: Api) -> list[str]:
        states = []
        for _ in range(2):
            _, queued = await api.ask("POST", "/runs", json=posted(workflow, options={"cleanup": True}))
            states.append((await api.end(queued["id"]))["state"])
        return states

    assert server.ask(twice) == ["passed", "passed"]


def test_a_cancelled_run_is_cleaned_up(
    serve: Callable[..., Served], control_plane: LocalCluster, tmp_path: Path, namespace: str
) -> None:
    server = serve()
    workflow = making(tmp_path, namespace, task("Sleep", "long", timeout="1h"))

    async def cancel(api: Api) -> dict[str, Any]:
        _, queued = await api.ask("POST", "/runs", json=posted(workflow, options={"cleanup": True}))
        await until_running(api, queued["id"], "long")
        await api.ask("POST", f"/runs/{queued['id']}/cancel")
        return await api.end(queued["id"])

    assert server.ask(cancel)["state"] == "cancelled"
    assert maps(control_plane, namespace) == set()


def test_a_client_that_hangs_up_cancels_nothing_and_the_next_run_waits(serve: Callable[..., Served]) -> None:
    server = serve()

    async def hang_up(api: Api) -> None:
        posting = asyncio.create_task(api.ask("POST", "/workflow", data=sleep("first", "1h")))
        first = (await asyncio.to_thread(server.told, r"run (\w+) \(first\) started"))[1]
        await until_running(api, first, "wait")
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        assert (await api.ask("POST", "/runs", json=submission(wait="refuse")))[0] == 409
        second = await api.submit(text=sleep("second"))
        assert (await api.ask("GET", f"/runs/{first}"))[1]["state"] == "running"
        await api.ask("POST", f"/runs/{first}/cancel")
        assert (await api.end(second))["state"] == "passed"

    server.ask(hang_up)


def test_fifty_clients_at_once(serve: Callable[..., Served]) -> None:
    server = serve()

    async def all_at_once(api: Api) -> list[dict[str, Any]]:
        async def one(number: int) -> dict[str, Any]:
            return await api.end(await api.submit(text=sleep(f"run-{number}")))

        return await asyncio.gather(*(one(number) for number in range(50)))

    ended = server.ask(all_at_once)
    assert [run["name"] for run in ended] == [f"run-{number}" for number in range(50)]
    assert {run["state"] for run in ended} == {"passed"}
    times = sorted((run["started"], run["ended"]) for run in ended)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times)), "two ran at once"
    assert server.end()[0] == 0


def test_bad_bodies_do_no_harm(serve: Callable[..., Served]) -> None:
    server = serve("--max-body", "1Ki", "--body-timeout", "100ms")
    never = asyncio.Event()

    async def begun(size: int) -> AsyncIterator[bytes]:
        yield b"#" * size
        await never.wait()

    async def ask(api: Api) -> list[int]:
        yaml = {"Content-Type": "application/yaml"}
        bodies = [b"#" * 1025, begun(1025), begun(1), b"\xff", b"tasks: [", b"name: empty"]
        return [(await api.ask("POST", "/runs", data=body, headers=yaml))[0] for body in bodies]

    assert server.ask(ask) == [413, 413, 408, 400, 422, 422]
    assert server.ask(lambda api: api.ask("POST", "/runs", json=submission()))[0] == 202


def test_headers_are_limited_and_the_token_must_be_right(serve: Callable[..., Served]) -> None:
    server = serve()

    async def ask(api: Api) -> list[int]:
        wrong = [{"Authorization": value} for value in ("", "Bearer wrong", f"Bearer {TOKEN[:-1]}")]
        with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as connection:
            connection.sendall(b"GET /runs HTTP/1.1\r\nX-Long: " + b"x" * 100_000)
            with contextlib.suppress(ConnectionResetError):  # the server does not read what comes after its answer
                assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
        return [(await api.ask("GET", "/runs", headers=each))[0] for each in [*wrong, {}]]

    assert server.ask(ask) == [401, 401, 401, 200]


def test_a_token_is_made_and_found_by_a_client_here(
    serve: Callable[..., Served], knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    server = serve(token=None)
    file = Path(server.token_file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) >= 32
    workflow = tmp_path / "sleep.yml"
    workflow.write_text(sleep())
    done = knavtool("run", workflow, "--server", server.url)
    assert "1 task: 1 ok" in done.stderr
    token = file.read_text().strip()
    code, said = server.end()
    assert (code, file.exists()) == (0, False)
    assert token not in said


def test_other_machines_are_let_in_with_a_token_only(knavtool: Callable[..., CompletedProcess[str]]) -> None:
    done = knavtool("serve", "--listen", "0.0.0.0:0", check=2)
    assert "lets other machines in, so a token must be given" in done.stderr


def test_run_on_a_server_looks_like_a_run_here(
    serve: Callable[..., Served],
    knavtool: Callable[..., CompletedProcess[str]],
    control_plane: LocalCluster,
    tmp_path: Path,
    namespace: str,
) -> None:
    server = serve()
    (tmp_path / "token").write_text(TOKEN)
    remote = ("--server", server.url, "--token-file", tmp_path / "token")
    workflow = making(tmp_path, namespace)
    done = knavtool("run", workflow, *remote, "--cleanup", "--report", tmp_path / "report")
    assert "3 tasks: 3 ok" in done.stderr
    assert "cleanup" in done.stderr
    assert "knavtool-run-" not in done.stderr, "a path of the server is shown"
    assert done.stdout == ""
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["result"], report["counts"]["tasks"]["ok"]) == ("ok", 3)
    (run,) = server.ask(lambda api: api.ask("GET", "/runs"))[1]
    assert server.ask(lambda api: api.ask("GET", f"/runs/{run['id']}/report"))[1] == report
    assert [suite.name for suite in JUnitXml.fromfile(str(tmp_path / "report" / "junit.xml"))] == ["wf", "cleanup"]

    failing = making(tmp_path, namespace, task("CheckObj", "check", refTaskId="maps", state={"data": {"a": "b"}}))
    done = knavtool("run", failing, *remote, "--cleanup", "--junit", tmp_path / "j.xml", check=1)
    assert "4 tasks: 3 ok, 1 failed" in done.stderr
    assert "data: expected" in done.stderr, done.stderr
    assert sum(suite.failures for suite in JUnitXml.fromfile(str(tmp_path / "j.xml"))) == 1
    assert maps(control_plane, namespace) == set()


def test_errors_of_a_server_have_the_exit_codes_of_errors_here(
    serve: Callable[..., Served], knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    server = serve()
    token = tmp_path / "token"
    token.write_text(TOKEN)
    remote = ("--server", server.url, "--token-file", token)
    unserved = write(
        tmp_path,
        register(podNameFormat=None, podCount=None),
        submit(params={"x": 1}),
        template="apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: '{{._NAME_}}'}\n",
    )
    assert "does not serve example.com/v1" in knavtool("run", unserved, *remote, check=5).stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("tasks: []\n")
    assert "wrong.yml:1:" in knavtool("run", wrong, *remote, check=2).stderr
    token.write_text("wrong")
    wrong.write_text(sleep())
    assert "the token is wrong" in knavtool("run", wrong, *remote, check=5).stderr
    token.write_text(TOKEN)
    server.end()
    assert "cannot reach the server" in knavtool("run", wrong, *remote, check=5).stderr


@contextlib.contextmanager
def running(*args: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own that is killed if the test leaves it."""
    process = subprocess.Popen([str(SCRIPT), *map(str, args)], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_an_interrupted_client_cancels_the_run_and_waits_for_its_cleanup(
    serve: Callable[..., Served], control_plane: LocalCluster, tmp_path: Path, namespace: str
) -> None:
    server = serve()
    (tmp_path / "token").write_text(TOKEN)
    workflow = making(tmp_path, namespace, task("Sleep", "long", timeout="1h"))
    remote = ("--server", server.url, "--token-file", tmp_path / "token")
    with running("run", workflow, "--cleanup", *remote) as client:
        id_ = server.told(r"run (\w+) \(wf\) started")[1]
        server.ask(lambda api: until_running(api, id_, "long"))
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=60)
    assert client.returncode == 130, said
    assert "cleanup" in said
    assert maps(control_plane, namespace) == set()
    (run,) = server.ask(lambda api: api.ask("GET", "/runs"))[1]
    assert run["state"] == "cancelled"


@pytest.mark.parametrize(("drain", "state"), [("60s", "passed"), ("0s", "cancelled")])
def test_sigterm_drains(
    serve: Callable[..., Served],
    control_plane: LocalCluster,
    tmp_path: Path,
    namespace: str,
    drain: str,
    state: str,
) -> None:
    server = serve("--drain", drain)
    time = "2s" if state == "passed" else "1h"
    workflow = making(tmp_path, namespace, task("Sleep", "last", timeout=time))

    async def drained(api: Api) -> tuple[str, str]:
        _, first = await api.ask("POST", "/runs", json=posted(workflow, options={"cleanup": True}))
        second = await api.submit()
        followed = asyncio.create_task(api.end(first["id"]))
        waiting = asyncio.create_task(api.end(second))
        await until_running(api, first["id"], "last")
        server.process.send_signal(signal.SIGTERM)
        cancelled = (await waiting)["state"]
        if state == "passed":
            assert (await api.ask("GET", "/readyz"))[0] == 503
            assert (await api.ask("POST", "/runs", json=submission()))[0] == 503
            assert (await api.ask("GET", "/healthz"))[0] == 200
        return cancelled, (await followed)["state"]

    assert server.ask(drained) == ("cancelled", state)
    _, said = server.process.communicate(timeout=60)
    assert server.process.returncode == 0, said
    assert maps(control_plane, namespace) == set()


def test_knavigators_route_reads_templates_below_its_root_only(
    serve: Callable[..., Served], control_plane: LocalCluster, tmp_path: Path, namespace: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    workflow = making(root, namespace)
    outside = tmp_path / "outside.yml"
    outside.write_text(CONFIG_MAP)
    (root / "link.yml").symlink_to(outside)
    server = serve("--root", root)

    async def post(api: Api, text: str) -> tuple[int, str]:
        answer: tuple[int, str] = await api.ask("POST", "/workflow?cleanup=true", data=text)
        return answer

    text = workflow.read_text()
    assert server.ask(lambda api: post(api, text)) == (200, "")
    for name in ("../outside.yml", str(outside), "link.yml", "~/outside.yml", "/etc/passwd", "root/../../outside.yml"):
        status, said = server.ask(lambda api, name=name: post(api, text.replace("job.yml", name)))
        assert status == 400, name
        assert "there is no template" in said
        assert str(tmp_path) not in said.replace(name, "")
