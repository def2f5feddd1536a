"""What `cluster up` would do, and how it says it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.cluster import kubeconfig, processes, record
from knavtool.cluster.components.records import component
from knavtool.cluster.engines.local import kwokctl, settings
from knavtool.cluster.engines.local.plan import Plan, Wanted, component_ports, describe, make_plan, server_url
from knavtool.cluster.layout import ClusterFiles
from knavtool.cluster.ports import free_ports
from knavtool.cluster.record import Record
from knavtool.errors import DocumentError, EngineError, UsageError

VERSIONS = dict.fromkeys((*kwokctl.PROCESSES, "kwok", "prometheus"), "1.2.3")
ALL = (*kwokctl.PROCESSES, "kwok", "prometheus")


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted(kubeconfig=tmp_path / "kubeconfig")


@pytest.fixture
def known(files: ClusterFiles, wanted: Wanted) -> Record:
    """The record of a cluster that was made and has its context; see `running` for its processes."""
    uses = [*kwokctl.choose_ports(None), *component_ports((component("kwok"), component("prometheus")))]
    made = Record(
        ports=dict(zip(uses, free_ports(len(uses)), strict=True)), components=("kwok", "prometheus"), created=True
    )
    record.save(files, made)
    listed = {"components": [{"name": name, "version": "1.2.3"} for name in kwokctl.PROCESSES]}
    files.kwokctl.write_text(
        yaml.safe_dump_all([{"kind": "KwokConfiguration"}, {"kind": "KwokctlConfiguration"} | listed])
    )
    kubeconfig.add_context(wanted.kubeconfig, files.context, server=server_url(made), pki=files.pki)
    return made


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The processes that are alive."""
    alive = {name: number for number, name in enumerate(ALL, start=1)}
    monkeypatch.setattr(processes, "running", lambda _: alive)
    return alive


def names(plan: Plan) -> dict[str, Any]:
    return {
        "dead": set(plan.dead),
        "starting": {one.name for one in plan.starting},
        "leaving": set(plan.leaving),
        "context": plan.add_context,
    }


def test_nothing_is_there(files: ClusterFiles, wanted: Wanted) -> None:
    plan = make_plan(files, wanted)
    assert not plan.nothing
    assert plan.record is None
    assert [one.name for one in plan.starting] == ["kwok", "prometheus"]
    chosen = replace(wanted, feature_gates="A=true", runtime_config="a/v1=true")
    lines = list(describe(files, chosen, plan, VERSIONS))
    assert lines[0] == f"create cluster test in {files.directory}"
    assert lines[1:5] == [f"start {name} 1.2.3 on 127.0.0.1" for name in kwokctl.PROCESSES]
    assert lines[5:7] == ["set feature gates A=true", "serve a/v1=true"]
    assert "override it with charts/overrides/kwok/pod-complete.yaml" in lines
    assert lines[-2].startswith("start prometheus ")
    assert lines[-1] == f"add context knavtool-test to {wanted.kubeconfig} and make it current"
    assert [one.name for one in make_plan(files, replace(wanted, prometheus=False)).starting] == ["kwok"]


def test_a_cluster_that_was_not_finished_is_made_anew(files: ClusterFiles, wanted: Wanted, known: Record) -> None:
    record.save(files, replace(known, created=False))
    assert make_plan(files, wanted).record is None


def test_all_is_as_wanted(files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]) -> None:
    plan = make_plan(files, wanted)
    assert plan.nothing
    assert list(describe(files, wanted, plan, VERSIONS)) == ["nothing to do: cluster test is as wanted"]


def test_what_died_is_started_again(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    del running["etcd"], running["kwok"]
    plan = make_plan(files, wanted)
    assert names(plan) == {"dead": {"etcd"}, "starting": {"kwok"}, "leaving": set(), "context": False}
    lines = list(describe(files, wanted, plan, VERSIONS))
    assert "start etcd again" in lines
    assert any(line.startswith("start kwok ") for line in lines)
    assert not any("context" in line or "create cluster" in line for line in lines)


@pytest.mark.parametrize("alive", [True, False])
def test_prometheus_leaves_when_it_is_not_wanted(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], alive: bool
) -> None:
    if not alive:
        del running["prometheus"]
    without = replace(wanted, prometheus=False)
    plan = make_plan(files, without)
    assert names(plan) == {"dead": set(), "starting": set(), "leaving": {"prometheus"}, "context": False}
    assert list(describe(files, without, plan, VERSIONS)) == ["stop prometheus"]
    record.save(files, replace(known, components=("kwok",)))
    running.pop("prometheus", None)
    assert make_plan(files, without).nothing


def test_a_context_that_was_changed_is_added_again(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], tmp_path: Path
) -> None:
    kubeconfig.add_context(wanted.kubeconfig, "another", server="https://x", pki=files.pki)
    assert names(make_plan(files, wanted))["context"]
    elsewhere = replace(wanted, kubeconfig=tmp_path / "elsewhere")
    plan = make_plan(files, elsewhere)
    assert names(plan) == {"dead": set(), "starting": set(), "leaving": set(), "context": True}
    assert list(describe(files, elsewhere, plan, VERSIONS)) == [
        f"add context knavtool-test to {tmp_path / 'elsewhere'} and make it current"
    ]


def test_a_running_cluster_keeps_its_settings(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    port = known.ports[kwokctl.API_SERVER_PORT]
    same = replace(wanted, feature_gates="", runtime_config="", api_server_port=port, tuning="all")
    assert make_plan(files, same).nothing
    for other, said in (
        (replace(wanted, feature_gates="A=true"), "with --feature-gates none, not A=true"),
        (replace(wanted, runtime_config="a/v1=true"), "with --runtime-config none, not a/v1=true"),
        (replace(wanted, api_server_port=port + 1), f"with --port {port}, not {port + 1}"),
        (replace(wanted, tuning="none"), "with --tuning all, not none"),
    ):
        with pytest.raises(UsageError, match=said) as raised:
            make_plan(files, other)
        assert "knavtool cluster down --name test" in raised.value.hint


@pytest.fixture
def held() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_a_port_that_is_taken_stops_the_work_before_it_begins(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], held: int
) -> None:
    ports = {**known.ports, "kwok/http": held}
    record.save(files, replace(known, ports=ports))
    assert make_plan(files, wanted).nothing
    del running["kwok"]
    with pytest.raises(EngineError, match=f"port {held} for kwok of cluster test is taken"):
        make_plan(files, wanted)


def test_a_chosen_port_that_is_taken(files: ClusterFiles, wanted: Wanted, held: int) -> None:
    with pytest.raises(EngineError, match=f"port {held} for the API server is taken") as raised:
        make_plan(files, replace(wanted, api_server_port=held))
    assert "--port" in raised.value.hint


def test_a_broken_kubeconfig_stops_the_work_before_it_begins(files: ClusterFiles, wanted: Wanted) -> None:
    wanted.kubeconfig.write_text("{")
    with pytest.raises(DocumentError):
        make_plan(files, wanted)


@pytest.mark.parametrize("text", [None, "", "{", "a: 1", "kind: KwokctlConfiguration", "[1]", "kind: [x]\n---\n1"])
def test_a_damaged_record_of_kwokctl(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], text: str | None
) -> None:
    if text is None:
        files.kwokctl.unlink()
    else:
        files.kwokctl.write_text(text)
    with pytest.raises(EngineError, match="does not describe a cluster") as raised:
        make_plan(files, wanted)
    assert "knavtool cluster down --name test" in raised.value.hint


def test_the_settings_reach_the_configuration(tmp_path: Path) -> None:
    programs = {name: tmp_path / name for name in kwokctl.PROGRAMS}
    ports = kwokctl.choose_ports(None)
    text = kwokctl.configuration(
        programs, ports, feature_gates="A=true", runtime_config="a/v1=true", groups=settings.chosen("all")
    )
    document = yaml.safe_load(text)
    options = document["options"]
    assert options["bindAddress"] == "127.0.0.1"
    assert options["kubeFeatureGates"] == "A=true"
    assert options["kubeRuntimeConfig"] == "a/v1=true"
    assert options["kubeApiserverPort"] == ports[kwokctl.API_SERVER_PORT]
    assert {options[key] for key in options if key.endswith("Port")} == set(ports.values())
    assert options["etcdBinary"] == str(tmp_path / "etcd")
    patches = {patch["name"]: patch for patch in document["componentsPatches"]}
    for group in settings.GROUPS.values():
        for name, args in group.args.items():
            given = {one["key"]: one["value"] for one in patches[name]["extraArgs"]}
            assert args.items() <= given.items()
        for name, environment in group.environment.items():
            variables = {one["name"]: one["value"] for one in patches[name]["extraEnvs"]}
            assert environment.items() <= variables.items()
    text = kwokctl.configuration(programs, ports, feature_gates="", runtime_config="", groups=settings.chosen("none"))
    bare = yaml.safe_load(text)
    assert all(not patch["extraArgs"] and not patch["extraEnvs"] for patch in bare["componentsPatches"])


def test_groups_of_settings_are_chosen_by_name() -> None:
    assert settings.chosen("all") == list(settings.GROUPS.values())
    assert settings.chosen("none") == []
    assert settings.chosen("etcd, memory") == [settings.GROUPS["etcd"], settings.GROUPS["memory"]]
    for wrong in ("nothing", "etcd,nothing", "", "all,etcd"):
        with pytest.raises(UsageError, match="no group") as raised:
            settings.chosen(wrong)
        assert "memory" in raised.value.hint
