"""What `cluster up` would do, and how it says it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.records import Component
from knavtool.engines.local.components.component_processes import port_uses
from knavtool.engines.local.control_plane import kwokctl, settings
from knavtool.engines.local.describing import describe
from knavtool.engines.local.plan import Plan, Wanted, kubernetes_release, make_plan, server_url, sources
from knavtool.engines.local.processes import processes
from knavtool.engines.local.state import applied, kubeconfig, record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.ports import Ports
from knavtool.engines.local.state.record import Record
from knavtool.errors import DocumentError, EngineError, UsageError
from knavtool.settings.asked import read_options
from knavtool.settings.settings import Settings
from knavtool.toolchain.pins import Checkout

CATALOGUE = Catalogue.load({"XDG_CONFIG_HOME": "/nowhere"})
VERSIONS = dict.fromkeys((*kwokctl.PROCESSES, "kwok", "prometheus"), "1.2.3")
ALL = (*kwokctl.PROCESSES, "kwok", "prometheus")
OF_EVERY_CLUSTER = CATALOGUE.ordered({"prometheus": "", "kwok": ""})


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted(kubeconfig=tmp_path / "kubeconfig")


def planned(files: ClusterFiles, wanted: Wanted) -> Plan:
    return make_plan(files, wanted, CATALOGUE)


def lines(files: ClusterFiles, wanted: Wanted) -> list[str]:
    return list(describe(files, wanted, planned(files, wanted), VERSIONS))


def saved(files: ClusterFiles, wanted: Wanted, components: tuple[Component, ...]) -> Record:
    """The record of a cluster that was made with these components and has its context."""
    uses = port_uses(components)
    with Ports() as ports:
        chosen = kwokctl.choose_ports(None, ports) | dict(zip(uses, ports.take(len(uses)), strict=True))
    made = Record(
        ports=chosen,
        components={one.name: one.version for one in components},
        created=True,
    )
    record.save(files, made)
    listed = {"components": [{"name": name, "version": "1.2.3"} for name in kwokctl.PROCESSES]}
    files.kwokctl.write_text(
        yaml.safe_dump_all([{"kind": "KwokConfiguration"}, {"kind": "KwokctlConfiguration"} | listed])
    )
    kubeconfig.add_context(wanted.kubeconfig, files.context, server=server_url(made), pki=files.pki)
    return made


@pytest.fixture
def known(files: ClusterFiles, wanted: Wanted) -> Record:
    """A cluster with what every cluster has; see `running` for its processes."""
    return saved(files, wanted, OF_EVERY_CLUSTER)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The processes that are alive."""
    alive = {name: number for number, name in enumerate(ALL, start=1)}
    monkeypatch.setattr(processes, "running", lambda _: alive)
    return alive


def names(plan: Plan) -> dict[str, Any]:
    return {
        "dead": set(plan.dead),
        "starting": [one.name for one in plan.starting],
        "leaving": [one.name for one in plan.leaving],
        "context": plan.add_context,
    }


def changes(**given: Any) -> dict[str, Any]:
    return {"dead": set(), "starting": [], "leaving": [], "context": False, **given}


def test_nothing_is_there(files: ClusterFiles, wanted: Wanted) -> None:
    plan = planned(files, wanted)
    assert not plan.nothing
    assert plan.record is None
    assert sorted(one.name for one in plan.starting) == ["kwok", "prometheus", "stages"]
    told = lines(files, replace(wanted, feature_gates="A=true", runtime_config="a/v1=true"))
    assert told[0] == f"create cluster test in {files.directory}"
    assert told[1:5] == [f"start {name} 1.2.3 on 127.0.0.1" for name in kwokctl.PROCESSES]
    assert told[5:7] == ["set feature gates A=true", "serve a/v1=true"]
    assert "override it with charts/overrides/kwok/pod-complete.yaml" in told
    assert any(re.fullmatch(r"start kwok v\S+ on 127.0.0.1", line) for line in told)
    assert any(re.fullmatch(r"start prometheus \S+ on 127.0.0.1", line) for line in told)
    assert told[-1] == f"add context knavtool-test to {wanted.kubeconfig} and make it current"
    without = planned(files, replace(wanted, prometheus=False))
    assert [one.name for one in without.starting] == ["stages", "kwok"]


def test_components_come_with_what_they_need_and_in_the_order_of_their_links(
    files: ClusterFiles, wanted: Wanted
) -> None:
    chosen = replace(wanted, components={"kueue": "", "coscheduling": "", "jobset": "v0.10.0"}, prometheus=False)
    plan = planned(files, chosen)
    order = [one.name for one in plan.starting]
    assert set(order) == {"stages", "kwok", "kueue", "jobset", "coscheduling", "scheduler-plugins"}
    assert order.index("jobset") < order.index("kueue")
    assert order.index("scheduler-plugins") < order.index("coscheduling")
    told = lines(files, chosen)
    assert "create what is missing of config/default of sigs.k8s.io/jobset@v0.10.0" in told
    assert "start jobset v0.10.0 on 127.0.0.1" in told


def test_a_component_may_set_how_the_control_plane_is_started(files: ClusterFiles, wanted: Wanted) -> None:
    chosen = replace(wanted, components={"native-gang": ""}, feature_gates="A=true")
    told = lines(files, chosen)
    gates = next(line for line in told if line.startswith("set feature gates "))
    assert gates.startswith("set feature gates A=true,")
    assert "GenericWorkload=true" in gates
    assert "serve scheduling.k8s.io/v1beta1=true" in told
    with pytest.raises(UsageError, match="GenericWorkload=false contradicts native-gang"):
        planned(files, replace(chosen, feature_gates="GenericWorkload=false"))


def test_a_component_that_no_local_cluster_can_have(files: ClusterFiles, wanted: Wanted) -> None:
    with pytest.raises(UsageError, match="kube-prometheus-stack cannot run beside a local cluster") as raised:
        planned(files, replace(wanted, components={"kube-prometheus-stack": ""}))
    assert "--engine existing" in raised.value.hint


def test_a_cluster_that_was_not_finished_is_made_anew(files: ClusterFiles, wanted: Wanted, known: Record) -> None:
    record.save(files, replace(known, created=False))
    assert planned(files, wanted).record is None


def test_all_is_as_wanted(files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]) -> None:
    assert planned(files, wanted).nothing
    assert lines(files, wanted) == ["nothing to do: cluster test is as wanted"]


def test_what_died_is_started_again(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    del running["etcd"], running["kwok"]
    assert names(planned(files, wanted)) == changes(dead={"etcd"}, starting=["kwok"])
    told = lines(files, wanted)
    assert "start etcd again" in told
    assert any(line.startswith("start kwok ") for line in told)
    assert not any("context" in line or "create cluster" in line for line in told)


def test_what_was_not_finished_is_done_again(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    record.save(files, replace(known, unfinished={"stages": known.components["stages"]}))
    assert names(planned(files, wanted)) == changes(starting=["stages"])


@pytest.mark.parametrize("alive", [True, False])
def test_prometheus_leaves_when_it_is_not_wanted(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], alive: bool
) -> None:
    if not alive:
        del running["prometheus"]
    for without in (replace(wanted, prometheus=False), replace(wanted, without=("prometheus",))):
        assert names(planned(files, without)) == changes(leaving=["prometheus"])
        assert lines(files, without) == ["remove prometheus"]
    components = {name: version for name, version in known.components.items() if name != "prometheus"}
    record.save(files, replace(known, components=components))
    running.pop("prometheus", None)
    assert planned(files, replace(wanted, prometheus=False)).nothing


def test_components_of_earlier_calls_stay_until_they_are_left_out(
    files: ClusterFiles, wanted: Wanted, running: dict[str, int]
) -> None:
    chosen = CATALOGUE.ordered({"prometheus": "", "kwok": "", "jobset": "v0.10.0", "kueue": ""})
    saved(files, wanted, chosen)
    running |= {"jobset": 100, "kueue": 101}
    assert planned(files, wanted).nothing
    assert planned(files, replace(wanted, components={"jobset": ""})).nothing
    assert names(planned(files, replace(wanted, without=("jobset",)))) == changes(leaving=["jobset"])
    assert names(planned(files, replace(wanted, without=("jobset", "kueue")))) == changes(leaving=["jobset", "kueue"])
    assert planned(files, replace(wanted, without=("volcano",))).nothing
    with pytest.raises(UsageError, match=r"cluster test has jobset v0\.10\.0, not v0\.11\.0") as raised:
        planned(files, replace(wanted, components={"jobset": "v0.11.0"}))
    assert "--without jobset" in raised.value.hint
    del running["jobset"]
    assert [one.version for one in planned(files, wanted).starting] == ["v0.10.0"]


def test_what_another_component_needs_cannot_be_left_out(
    files: ClusterFiles, wanted: Wanted, running: dict[str, int]
) -> None:
    saved(files, wanted, CATALOGUE.ordered({"prometheus": "", "kwok": "", "coscheduling": ""}))
    running |= {"scheduler-plugins-controller": 100, "coscheduling": 101}
    with pytest.raises(UsageError, match="--without scheduler-plugins: coscheduling needs it"):
        planned(files, replace(wanted, without=("scheduler-plugins",)))
    both = replace(wanted, without=("scheduler-plugins", "coscheduling"))
    assert names(planned(files, both))["leaving"] == ["scheduler-plugins", "coscheduling"]
    with pytest.raises(UsageError, match="kueue is named by --with and by --without"):
        planned(files, replace(wanted, components={"kueue": ""}, without=("kueue",)))
    with pytest.raises(UsageError, match="no component 'jobste'") as raised:
        planned(files, replace(wanted, without=("jobste",)))
    assert "jobset" in raised.value.hint


def test_how_a_control_plane_was_started_cannot_change(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    gang = replace(wanted, components={"native-gang": ""})
    with pytest.raises(UsageError, match="cluster test exists without native-gang, which changes how") as raised:
        planned(files, gang)
    assert "knavtool cluster down --name test" in raised.value.hint
    saved(files, wanted, CATALOGUE.ordered({"prometheus": "", "kwok": "", "native-gang": ""}))
    assert planned(files, gang).nothing
    assert planned(files, wanted).nothing
    with pytest.raises(UsageError, match="cluster test exists with native-gang, which changed how") as raised:
        planned(files, replace(wanted, without=("native-gang",)))
    assert "knavtool cluster down --name test" in raised.value.hint


def test_a_cluster_keeps_its_release_of_kubernetes(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    other = replace(wanted, kubernetes="v1.36.3")
    record.save(files, replace(known, versions={record.KUBERNETES: "v1.36.3"}))
    assert kubernetes_release(files, wanted) == kubernetes_release(files, other) == "v1.36.3"
    assert planned(files, wanted).nothing
    assert planned(files, other).nothing
    with pytest.raises(UsageError, match=r"cluster test exists with --kube-version v1.36.3, not v1.37.2") as raised:
        planned(files, replace(wanted, kubernetes="v1.37.2"))
    assert "knavtool cluster down --name test" in raised.value.hint
    files.record.unlink()
    assert kubernetes_release(files, other) == "v1.36.3"
    assert kubernetes_release(files, wanted) == CATALOGUE.kubernetes


def test_checkouts_of_earlier_calls_are_used_again(
    files: ClusterFiles, wanted: Wanted, known: Record, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    catalogue = Catalogue.load({"XDG_CONFIG_HOME": "/nowhere"}, sources=[f"volcano={one}"])
    begun = record.begun(known, catalogue.ordered({"volcano": "v1.15.1"}))
    record.save(files, replace(begun, sources={**begun.sources, "jobset": str(other)}))
    # That of JobSet is not there any more.
    assert sources(files, wanted) == [f"volcano={one}"]
    assert sources(files, replace(wanted, sources=("volcano=elsewhere",))) == [f"volcano={one}", "volcano=elsewhere"]
    program = catalogue.programs(catalogue.ordered({"volcano": "v1.15.1"}))["volcano-scheduler"]
    assert program.changes
    assert (program.version, program.build and program.build.module) == ("v1.15.1", Checkout(one))


def test_a_context_that_was_changed_is_added_again(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], tmp_path: Path
) -> None:
    kubeconfig.add_context(wanted.kubeconfig, "another", server="https://x", pki=files.pki)
    assert names(planned(files, wanted)) == changes(context=True)
    elsewhere = replace(wanted, kubeconfig=tmp_path / "elsewhere")
    assert names(planned(files, elsewhere)) == changes(context=True)
    assert lines(files, elsewhere) == [f"add context knavtool-test to {tmp_path / 'elsewhere'} and make it current"]


def test_a_running_cluster_keeps_its_settings(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    port = known.ports[kwokctl.API_SERVER_PORT]
    same = replace(wanted, feature_gates="", runtime_config="", api_server_port=port, tuning="all")
    assert planned(files, same).nothing
    for other, said in (
        (replace(wanted, feature_gates="A=true"), "with --feature-gates none, not A=true"),
        (replace(wanted, runtime_config="a/v1=true"), "with --runtime-config none, not a/v1=true"),
        (replace(wanted, api_server_port=port + 1), f"with --port {port}, not {port + 1}"),
        (replace(wanted, tuning="none"), "with --tuning all, not none"),
    ):
        with pytest.raises(UsageError, match=said) as raised:
            planned(files, other)
        assert "knavtool cluster down --name test" in raised.value.hint


@pytest.fixture
def held() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


@pytest.mark.parametrize("use", ["etcd/http", "jobset/webhook"])
def test_a_port_that_is_taken_stops_the_work_before_it_begins(
    files: ClusterFiles, wanted: Wanted, running: dict[str, int], held: int, use: str
) -> None:
    """Other files and objects have these ports too."""
    known = saved(files, wanted, CATALOGUE.ordered({"prometheus": "", "kwok": "", "jobset": ""}))
    running |= {"jobset": 100}
    record.save(files, replace(known, ports={**known.ports, use: held}))
    assert planned(files, wanted).nothing
    name = use.partition("/")[0]
    del running[name]
    with pytest.raises(EngineError, match=f"port {held} for {name} of cluster test is taken"):
        planned(files, wanted)


def test_another_port_is_chosen_where_nothing_else_knows_it(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], held: int
) -> None:
    record.save(files, replace(known, ports={**known.ports, "kwok/http": held}))
    assert planned(files, wanted).nothing
    del running["kwok"]
    plan = planned(files, wanted)
    assert list(plan.moved) == ["kwok/http"]
    assert f"choose another port for kwok/http: port {held} is taken by" in "\n".join(lines(files, wanted))


def test_a_chosen_port_that_is_taken(files: ClusterFiles, wanted: Wanted, held: int) -> None:
    with pytest.raises(EngineError, match=f"port {held} for the API server is taken") as raised:
        planned(files, replace(wanted, api_server_port=held))
    assert "--port" in raised.value.hint


def test_a_broken_kubeconfig_stops_the_work_before_it_begins(files: ClusterFiles, wanted: Wanted) -> None:
    wanted.kubeconfig.write_text("{")
    with pytest.raises(DocumentError):
        planned(files, wanted)


@pytest.mark.parametrize("text", [None, "", "{", "a: 1", "kind: KwokctlConfiguration", "[1]", "kind: [x]\n---\n1"])
def test_a_damaged_record_of_kwokctl(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int], text: str | None
) -> None:
    if text is None:
        files.kwokctl.unlink()
    else:
        files.kwokctl.write_text(text)
    with pytest.raises(EngineError, match="does not describe a cluster") as raised:
        planned(files, wanted)
    assert "knavtool cluster down --name test" in raised.value.hint


def test_the_settings_reach_the_configuration(files: ClusterFiles, tmp_path: Path) -> None:
    programs = {name: tmp_path / name for name in kwokctl.PROGRAMS}
    with Ports() as free:
        ports = kwokctl.choose_ports(None, free)
    text = kwokctl.configuration(
        files,
        programs,
        ports,
        feature_gates="A=true",
        runtime_config="a/v1=true",
        groups=settings.chosen("all"),
        audit={"audit-log-path": "/a"},
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
    tokens = {"key": "token-auth-file", "value": str(files.directory / "tokens.csv")}
    front = {"requestheader-client-ca-file": str(files.pki / "ca.crt"), **settings.FRONT_PROXY}
    proxy = [{"key": key, "value": value} for key, value in front.items()]
    for given in (tokens, *proxy, {"key": "audit-log-path", "value": "/a"}):
        assert given in patches["kube-apiserver"]["extraArgs"]
    known_by_token = {"key": "kubeconfig", "value": str(files.directory / "token.kubeconfig")}
    for name in ("kube-controller-manager", "kube-scheduler"):
        assert known_by_token in patches[name]["extraArgs"]
    text = kwokctl.configuration(
        files,
        programs,
        ports,
        feature_gates="",
        runtime_config="",
        groups=settings.chosen("none"),
        audit={},
    )
    bare = yaml.safe_load(text)
    given = {patch["name"]: (patch["extraArgs"], patch["extraEnvs"]) for patch in bare["componentsPatches"]}
    # How the cluster behaves is no matter of speed.
    period = {"key": "node-monitor-period", "value": "5s"}
    assert given == {
        **dict.fromkeys(settings.PROCESSES, ([], [])),
        "kube-apiserver": ([tokens, *proxy], []),
        "kube-controller-manager": ([period, known_by_token], []),
        "kube-scheduler": ([known_by_token], []),
    }


def test_groups_of_settings_are_chosen_by_name() -> None:
    assert settings.chosen("all") == list(settings.GROUPS.values())
    assert settings.chosen("none") == []
    assert settings.chosen("etcd, memory") == [settings.GROUPS["etcd"], settings.GROUPS["memory"]]
    for wrong in ("nothing", "etcd,nothing", "", "all,etcd"):
        with pytest.raises(UsageError, match="no group") as raised:
            settings.chosen(wrong)
        assert "memory" in raised.value.hint


def test_what_looks_for_kinds_only_at_its_start_is_started_again_for_new_ones(
    files: ClusterFiles, wanted: Wanted, running: dict[str, int]
) -> None:
    saved(files, wanted, CATALOGUE.ordered({"prometheus": "", "kwok": "", "kueue": ""}))
    running |= {"kueue": 100}
    adding = replace(wanted, components={"kuberay": ""})
    plan = planned(files, adding)
    assert [one.name for one in plan.starting] == ["kuberay", "kueue"]
    assert plan.again == {"kueue"}
    version = CATALOGUE.component("kueue").version
    assert f"start kueue {version} on 127.0.0.1 again, for what is new" in lines(files, adding)
    # A dead process that is not new brings nothing new.
    saved(files, wanted, CATALOGUE.ordered({"prometheus": "", "kwok": "", "kueue": "", "kuberay": ""}))
    plan = planned(files, wanted)
    assert ([one.name for one in plan.starting], plan.again) == (["kuberay"], frozenset())
    assert planned(files, replace(wanted, components={"device-classes": ""})).again == frozenset()


def test_a_component_whose_record_was_removed_from_the_catalogue_can_be_repaired_and_removed(
    files: ClusterFiles, wanted: Wanted, running: dict[str, int]
) -> None:
    saved(files, wanted, CATALOGUE.ordered({"prometheus": "", "kwok": "", "jobset": "v0.10.0"}))
    without = replace(CATALOGUE, files={name: file for name, file in CATALOGUE.files.items() if name != "jobset"})
    with pytest.raises(EngineError, match="cluster test has jobset, of which there is no record any more") as raised:
        make_plan(files, wanted, without)
    assert "knavtool cluster down --name test" in raised.value.hint
    files.component_records.mkdir()
    files.component_record("jobset").write_text(json.dumps(CATALOGUE.record("jobset")))
    plan = make_plan(files, wanted, without)
    assert [(one.name, one.version) for one in plan.starting] == [("jobset", "v0.10.0")]
    plan = make_plan(files, replace(wanted, without=("jobset",)), without)
    assert [(one.name, one.version) for one in plan.leaving] == [("jobset", "v0.10.0")]


def test_a_record_that_changed_since_its_component_was_installed_is_told(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    files.component_records.mkdir(parents=True)
    for one in OF_EVERY_CLUSTER:
        files.component_record(one.name).write_text(json.dumps(one.written))
    assert planned(files, wanted).changed == ()
    kwok = CATALOGUE.component("kwok").written
    files.component_record("kwok").write_text(json.dumps({**kwok, "description": "As it was."}))
    plan = make_plan(files, wanted, Catalogue.load({"XDG_CONFIG_HOME": "/nowhere"}))
    assert plan.changed == ("kwok",)
    assert plan.nothing


def test_settings_change_only_what_runs_with_others(
    files: ClusterFiles, wanted: Wanted, known: Record, running: dict[str, int]
) -> None:
    asked = read_options(fields=["kube-scheduler.scoring=MostAllocated", "kwok.options.x=1"], args=["kwok=--v=1"])
    plan = planned(files, replace(wanted, settings=asked))
    assert [(one.process, one.before) for one in plan.changing] == [
        ("kube-scheduler", Settings()),
        ("kwok", Settings()),
    ]
    assert not plan.nothing
    assert lines(files, replace(wanted, settings=asked)) == [
        "start kube-scheduler again with --set kube-scheduler.scoring=MostAllocated",
        "start kwok again with --set kwok.options.x=1 --args kwok=--v=1",
    ]
    # What they were started with counts, and not what an interrupted call wanted.
    for change in plan.changing:
        applied.save(files, change.process, change.after)
    assert lines(files, wanted) == [
        "start kube-scheduler again without --set kube-scheduler.scoring=MostAllocated",
        "start kwok again without --set kwok.options.x=1 --args kwok=--v=1",
    ]
    record.save(files, replace(known, settings=record.settings_data(plan.settings)))
    assert planned(files, wanted).nothing
    # A process that is dead is started with them in any case.
    del running["kwok"]
    reset = read_options(reset=["kwok"])
    assert [one.process for one in planned(files, replace(wanted, settings=reset)).changing] == []


def test_a_new_cluster_starts_with_settings(files: ClusterFiles, wanted: Wanted) -> None:
    asked = read_options(args=["etcd=--v=1", "kwok=--v=2"], environment=["kwok=A=b"])
    told = lines(files, replace(wanted, settings=asked))
    assert "start kwok v0.8.0 on 127.0.0.1 with --args kwok=--v=2 --env kwok=A=b" in told
    assert "start etcd again with --args etcd=--v=1" in told
