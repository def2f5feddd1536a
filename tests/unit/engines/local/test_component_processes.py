"""The process face of a component: what a process is started with, and how it is watched."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from knavtool import resources
from knavtool.catalogue.records import Certificates, Component, Kind, Objects, ProcessFace, ProcessSpec, Webhooks
from knavtool.engines.local.components import component_processes
from knavtool.engines.local.components.component_processes import ComponentProcesses
from knavtool.engines.local.processes import processes
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.errors import RenderError


def process(**given: Any) -> ProcessSpec:
    base = {"name": "made", "program": "p", "ports": ("http",), "ready": "http://127.0.0.1:${port_http}/ready"}
    return ProcessSpec(**{**base, **given})


def component(*hosted_: ProcessSpec, **face: Any) -> Component:
    made = ProcessFace(objects=Objects(), processes=hosted_, **face)
    return Component(name="own", title="Own", description="", version="v1.0.0", process=made)


def host(files: ClusterFiles, *hosted_: ProcessSpec, **face: Any) -> ComponentProcesses:
    one = component(*hosted_, **face)
    return ComponentProcesses(
        files, one, {use: 7 + number for number, use in enumerate(component_processes.port_uses([one]))}
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """It does nothing and stays."""
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\nexec sleep 600\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template below an override directory of the test."""
    monkeypatch.setattr(resources, "override", lambda name: tmp_path / "overrides" / name)
    path = tmp_path / "overrides" / "made" / "config"
    path.parent.mkdir(parents=True)
    path.write_text("listen: ${port_http}\nprice: $$5\ndirectory: ${directory}\n")
    return path


async def test_a_process_gets_its_files_arguments_and_environment(
    files: ClusterFiles, program: Path, template: Path
) -> None:
    one = process(
        files={"config": "made/config"},
        args=("--port=${port_http}", "--config=${directory}/config", "--kube=${kubeconfig}", "${pki} ${targets}"),
        environment={"OWN": "port ${port_http}"},
        metrics="http://127.0.0.1:${port_http}/metrics",
    )
    on = host(files, one)
    on.prepare()
    number = await on.start(one, program, kubectl=None, environment={"GIVEN": "g", "OWN": "overridden"})
    assert processes.recorded(files) == {"made": number}
    assert stat.S_IMODE(on.directory.stat().st_mode) == 0o700
    assert (on.directory / "config").read_text() == f"listen: 7\nprice: $5\ndirectory: {on.directory}\n"
    assert stat.S_IMODE((on.directory / "config").stat().st_mode) == 0o600
    assert on.ready_url(one) == "http://127.0.0.1:7/ready"
    assert json.loads((files.targets / "made.json").read_text()) == [
        {
            "targets": ["127.0.0.1:7"],
            "labels": {"component": "made", "__scheme__": "http", "__metrics_path__": "/metrics"},
        }
    ]
    spec = json.loads((files.keeper("made") / "spec.json").read_text())
    assert spec["argv"][1:] == [
        "--port=7",
        f"--config={on.directory}/config",
        f"--kube={files.kubeconfig}",
        f"{files.pki} {files.targets}",
    ]
    # It has its environment when it has loaded its program.
    assert processes.running(files) == {"made": number}
    given = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
    assert {b"OWN=port 7", b"GIVEN=g"} <= set(given)
    await component_processes.stop(files, ["made"])
    assert processes.recorded(files) == {}
    assert list(files.targets.iterdir()) == []
    await component_processes.stop(files, ["made"])


async def test_what_a_dead_process_leaves_is_removed_by_kind(files: ClusterFiles, program: Path) -> None:
    leases = Kind(api_version="coordination.k8s.io/v1", kind="Lease", namespace="here")
    one = process(stale=(leases, Kind(api_version="v1", kind="ConfigMap", namespace="there")))
    on = host(files, one)
    on.prepare()
    await on.start(one, program, kubectl=program, environment={})
    commands = json.loads((files.keeper("made") / "spec.json").read_text())["before_restart"]
    await component_processes.stop(files, ["made"])
    assert [command[:3] for command in commands] == [
        [str(program), "delete", "Lease.v1.coordination.k8s.io"],
        [str(program), "delete", "ConfigMap"],
    ]
    for command, namespace in zip(commands, ("here", "there"), strict=True):
        assert {f"--kubeconfig={files.kubeconfig}", f"--namespace={namespace}", "--all"} <= set(command)


@pytest.mark.parametrize("text", ["${port_https}", "$", "${", "${port http}"])
async def test_places_that_cannot_be_filled_in(files: ClusterFiles, program: Path, template: Path, text: str) -> None:
    template.write_text(text)
    for one, where in (
        (process(files={"config": "made/config"}), "config"),
        (process(args=(text,)), "made"),
        (process(environment={"A": text}), "made"),
        (process(metrics=f"http://127.0.0.1/{text}"), "made"),
    ):
        on = host(files, one)
        on.prepare()
        with pytest.raises(RenderError, match=where):
            await on.start(one, program, kubectl=None, environment={})
    with pytest.raises(RenderError, match="made"):
        host(files, process(ready=text)).ready_url(process(ready=text))
    assert processes.recorded(files) == {}


def test_a_record_of_the_user_names_its_templates_by_their_whole_path(tmp_path: Path) -> None:
    assert resources.override(str(tmp_path / "config")) == tmp_path / "config"


async def test_a_template_that_is_not_there(files: ClusterFiles, program: Path, template: Path) -> None:
    one = process(files={"config": "made/nothing"})
    on = host(files, one)
    on.prepare()
    with pytest.raises(RenderError, match="made/nothing: not readable"):
        await on.start(one, program, kubectl=None, environment={})


def test_webhooks_are_served_on_this_machine_with_a_certificate(files: ClusterFiles) -> None:
    one = process(ports=("http", "webhook"))
    on = host(files, one, webhooks=Webhooks(port="made/webhook"), certificates=Certificates(names=("a.b.svc",)))
    on.prepare()
    server = on.webhook_server()
    assert server is not None
    assert server.origin == "https://127.0.0.1:8"
    secrets = on.secrets()
    assert secrets.keys() == {"authority_crt", "server_crt", "server_key"}
    assert secrets["authority_crt"] == server.authority
    assert b"BEGIN CERTIFICATE" in base64.b64decode(server.authority)
    certificates = on.directory / "certs"
    assert {stat.S_IMODE(file.stat().st_mode) for file in certificates.iterdir()} == {0o600}
    # They stay the same from one `up` to the next: who has read them goes on.
    on.prepare()
    assert on.secrets() == secrets
    assert host(files, one).webhook_server() is None


def test_apis_are_served_on_this_machine_with_the_same_certificate(files: ClusterFiles) -> None:
    one = process(ports=("http", "webhook"))
    on = host(files, one, apis="made/webhook", certificates=Certificates(names=("a.b.svc",)))
    on.prepare()
    server = on.api_server()
    assert server is not None
    assert (server.address, server.port) == ("127.0.0.1", 8)
    assert server.authority == on.secrets()["authority_crt"]
    # Neither of them may move: objects in the cluster lead there.
    assert on.component.process is not None
    assert on.component.process.ports_in_objects == ["made/webhook"]
    assert host(files, one).api_server() is None


def test_a_component_may_want_the_authority_s_key(files: ClusterFiles) -> None:
    on = host(files, process(), certificates=Certificates(authority_key=True, authority_names=("ca",)))
    on.prepare()
    assert b"BEGIN RSA PRIVATE KEY" in base64.b64decode(on.secrets()["authority_key"])


def test_ports_are_named_by_their_process(files: ClusterFiles) -> None:
    one = component(process(ports=("a", "b")), process(name="second", ports=("a",)))
    bare = Component(name="bare", title="", description="", version="v1.0.0")
    assert component_processes.port_uses([bare, one]) == ["made/a", "made/b", "second/a"]


def test_targets_are_replaced_whole(files: ClusterFiles) -> None:
    component_processes.write_targets(files, {"a": "https://127.0.0.1:1/metrics", "b": "http://127.0.0.1:2/m"})
    component_processes.write_targets(files, {"a": "https://127.0.0.1:3/metrics"})
    written = {path.name: json.loads(path.read_text()) for path in files.targets.iterdir()}
    assert {name: entry["targets"] for name, (entry,) in written.items()} == {
        "a.json": ["127.0.0.1:3"],
        "b.json": ["127.0.0.1:2"],
    }
